"""The cluster side: runs batches, follows their results, answers questions about files. Connects outward only."""
