"""What is inside an image: disks, file systems, and rules for what points to the region that it comes from."""
