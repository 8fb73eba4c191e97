# The emulator in a container, an Exotel to try a server with. Build it from the project's root:
#
#   docker build -t switchhook-emulator:local -f deploy/emulator.Dockerfile .
#
# For your own tests, not beside callers: it has no lock of its versions, as the server's image has.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py package.json README.md LICENSE ./
COPY scripts/sbom.py scripts/
COPY src src
RUN python -m venv /opt/switchhook \
 && /opt/switchhook/bin/pip install --no-cache-dir --disable-pip-version-check '.[emulator]'

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Switchhook's emulator" \
      org.opencontainers.image.source="https://github.com/switchhook/switchhook" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/switchhook /opt/switchhook
ENV PATH=/opt/switchhook/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["switchhook"]
CMD ["emulate", "run", "--list"]
