"""The rules of workflow execution as pure functions: no input or output, no framework, no clock."""
