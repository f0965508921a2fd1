"""The servers that ``bin/services`` runs: a file each, over what they have in common in ``server``."""
