"""The command line: what users and scripts may rely on, and the errors they meet."""
