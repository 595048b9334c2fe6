"""Environments of task packages: made, removed and made again on the cluster's file system."""
