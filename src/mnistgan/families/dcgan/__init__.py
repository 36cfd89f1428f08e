"""The DCGAN of the TensorFlow article."""
