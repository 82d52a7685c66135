"""Ways a message leaves the house. One small file each."""
