"""`python -m fractal_jobs.api --port N`: one replica of the api."""

import argparse

from fractal_common.starting import loading, misconfiguration_told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8002)
    options = parser.parse_args()
    with loading(), misconfiguration_told("jobs-api"):
        from fractal_common.http.serving import serve
        from fractal_common.telemetry import configure_logging

        from fractal_jobs.app import create_app

        configure_logging("jobs-api")
        app = create_app()
    serve(app, host=options.host, port=options.port)


if __name__ == "__main__":
    main()
