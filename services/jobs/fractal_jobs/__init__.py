"""Projects, workflows, tasks and jobs."""
