"""Built-in corpora: synthetic stand-ins, written to disk in the real corpora's layouts, read by their readers."""
