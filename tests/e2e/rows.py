"""Rows with the least that they need."""

from fractal_common.database.models import Resource, User


def resource(name: str) -> Resource:
    return Resource(name=name, type="local", jobs_local_dir="/j", tasks_local_dir="/t", jobs_poll_interval=5)


def user(email: str) -> User:
    return User(email=email, hashed_password="x", project_dirs=["/p"], is_active=True)
