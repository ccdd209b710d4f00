"""Known vulnerabilities of what is installed or locked, and what nobody looked up."""
