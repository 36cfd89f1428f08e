"""Plans the experiments that seeds take, checks that DVC can run them, and drives DVC's queue."""
