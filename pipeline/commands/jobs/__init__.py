"""Train one commit as a job, or hand jobs out to workers."""
