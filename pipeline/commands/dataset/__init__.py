"""Add a data set of your own; make and pin what measures one."""
