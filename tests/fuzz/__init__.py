"""Coverage-guided fuzzing of readers of strangers' bytes: minidumps, symbol files, indexes."""
