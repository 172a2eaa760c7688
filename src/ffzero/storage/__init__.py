"""Where bytes lie and where they go: files, memory, pipes, and the kernel calls that move or share them."""
