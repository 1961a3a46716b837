# Both bases can be replaced, by a mirror's or by one's own.
ARG BASE_BUILD=docker.io/library/golang:1.26
ARG BASE_RUN=gcr.io/distroless/static:nonroot

FROM ${BASE_BUILD} AS build
WORKDIR /src
COPY go.mod go.sum ./
ARG GOPROXY
ARG GOFLAGS=-mod=readonly
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/towpath ./cmd/towpath \
 && mkdir /out/cache /out/registry

# One static binary; the root may be read-only. /cache is written, and may be emptied at any
# time. /registry is for a volume, where towpath serves a registry: what is in it is kept.
FROM ${BASE_RUN}
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /out/towpath /usr/local/bin/towpath
COPY --from=build --chown=65532:65532 /out/cache /cache
COPY --from=build --chown=65532:65532 /out/registry /registry
USER 65532:65532
VOLUME /cache
ENV TOWPATH_CACHE_DIR=/cache
EXPOSE 8080 8081 5000
ENTRYPOINT ["/usr/local/bin/towpath"]
CMD ["run"]
