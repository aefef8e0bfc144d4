"""What was seen of running kernels, held against the model step by step."""
