"""Coverage-guided fuzzing of what reads the bytes of strangers: minidumps, symbol files, indexes."""
