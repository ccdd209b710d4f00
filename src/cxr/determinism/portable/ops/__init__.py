"""Ops that move or combine elements one by one."""
