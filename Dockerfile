# syntax=docker/dockerfile:1
# A slim image of the wheel: built in the first stage, installed in the second, run by nobody in particular.
# docker build -t scrapekit --build-arg EXTRAS='[parquet,warc]' .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=""
WORKDIR /src
COPY pyproject.toml README.md LICENSE settings.yaml ./
COPY docs/settings.md docs/
COPY scrapekit scrapekit
RUN pip wheel --no-cache-dir --wheel-dir /wheels ".${EXTRAS}"

FROM python:${PYTHON}-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --root-user-action=ignore /wheels/*.whl
WORKDIR /project
# What a volume is made from belongs to the user, so that it can be written to.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /project scrapekit \
    && mkdir .scrapekit results \
    && chown -R scrapekit:scrapekit /project
VOLUME ["/project/.scrapekit", "/project/results"]
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
# Lets requests in flight finish, and commits; the next --resume goes on from there.
STOPSIGNAL SIGTERM
ENTRYPOINT ["scrapekit"]
CMD ["--help"]
