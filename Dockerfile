# Two stages: the first has the compiler, the second only what the binary links.
FROM debian:bookworm-slim AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY tools/setup tools/setup
RUN tools/setup run
COPY . .
RUN make -j"$(nproc)" install DESTDIR=/out PREFIX=/usr/local

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libcjson1 libgsl27 libmicrohttpd12 libnettle8 libsqlite3-0 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /var/lib/moeplan --shell /usr/sbin/nologin moeplan \
    && install -d -o moeplan -g moeplan -m 750 /var/lib/moeplan
COPY --from=build /out/usr/local/bin/moeplan /usr/local/bin/moeplan

USER moeplan
WORKDIR /var/lib/moeplan
VOLUME /var/lib/moeplan
# Beyond loopback the daemon wants tokens: give it a file, MOEPLAN_TOKEN_FILE (see the README).
ENV MOEPLAN_LISTEN=0.0.0.0:8080 MOEPLAN_DB=/var/lib/moeplan/moeplan.db
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["moeplan", "health"]
ENTRYPOINT ["moeplan"]
CMD ["serve"]
