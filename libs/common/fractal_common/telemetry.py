"""Logs: one event a line, with ids as fields instead of sentences.

Everything goes through the standard library's loggers, so that an operator's `LOG_CONFIG_FILE` (a YAML file for
`logging.config.dictConfig`) decides about our lines as about those of the libraries. Without one, lines go to standard
error as `<time> - <logger> - <level> - event=… key=…`.
"""

import logging
import logging.config
import sys
from pathlib import Path
from typing import Any, cast

import structlog

from fractal_common.settings import LoggingSettings, SettingsGroup, load
from fractal_common.variables import remarks

LINE_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
OURS = (
    "fractal_auth",
    "fractal_jobs",
    "fractal_agent",
    "fractal_common",
    "fractal_server",
    "slow-response",
    "lifespan",
)
"""Shown from `FRACTAL_LOGGING_LEVEL` on; of the libraries only warnings, and what uvicorn and Alembic do."""
CHATTY = ("uvicorn", "alembic")
SECRET_WORDS = ("PASSWORD", "SECRET", "KEY")


def configure_logging(process: str, *, warn: bool = True) -> None:
    """Set up the logs of a process, named `process` on every line of ours; `warn` about settings nobody reads.

    Raises:
        ConfigurationError: the settings of the logs themselves are wrong.
    """
    settings = load(LoggingSettings)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    failure = _from_file(settings.LOG_CONFIG_FILE) if settings.LOG_CONFIG_FILE else None
    if not settings.LOG_CONFIG_FILE or failure is not None:
        _built_in(settings.FRACTAL_LOGGING_LEVEL)
    if failure is not None:
        logging.getLogger().error(
            "[fractal-server] WARNING: failed to load LOG_CONFIG_FILE='%s': %s. Falling back to built-in logging.",
            settings.LOG_CONFIG_FILE,
            failure,
        )
    if warn:
        for remark in remarks():
            get_logger("fractal_common.settings").warning("setting.ignored", **remark)


def _built_in(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE_FORMAT))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for every import
    # An application server has handlers of its own for these: they write our lines.
    for name in ("uvicorn.access", "uvicorn.error"):
        for own in logging.getLogger(name).handlers[:1]:
            own.setFormatter(handler.formatter)


def _from_file(name: str) -> Exception | None:
    """What is wrong with the file, if anything."""
    try:
        import yaml

        logging.config.dictConfig(cast("dict[str, Any]", yaml.safe_load(Path(name).read_text())))
    except Exception as error:
        return error
    return None


def log_settings(*groups: SettingsGroup) -> None:
    """Every setting of the groups at DEBUG, without secrets."""
    log = get_logger("lifespan.startup")
    for group in groups:
        for name, value in group:
            hidden = any(word in name for word in SECRET_WORDS)
            log.debug("setting", name=name, value="*****" if hidden else str(value))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    return structlog.stdlib.get_logger(name)
