"""What alicorn-convert is made of: a module for each kind of configuration that it reads,
and what they all write."""
