"""Where samples come from: folders, arrays, tables, and vectors made from a seed."""
