"""`python -m fractal_auth --port N`: one replica of the auth service."""

import argparse

from fractal_common.starting import loading, misconfiguration_told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    with loading(), misconfiguration_told("auth"):
        from fractal_common.http.serving import serve
        from fractal_common.telemetry import configure_logging

        from fractal_auth.app import create_app

        configure_logging("auth")
        app = create_app()
    serve(app, host=options.host, port=options.port)


if __name__ == "__main__":
    main()
