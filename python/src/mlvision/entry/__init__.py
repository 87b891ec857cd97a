"""What is started as a program: the Ray driver, the guard of a command, and training itself."""
