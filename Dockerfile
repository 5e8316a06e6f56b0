# The manifests alone, so that a change of source does not install everything again.
FROM node:22-bookworm-slim AS manifests
WORKDIR /app
COPY libs libs
COPY apps apps
RUN find libs apps -type f ! -name package.json -delete

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY --from=manifests /app ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev && rm -rf libs/*/src apps/*/src

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
# node_modules/@roost/* are links into libs/ and apps/: both come along, built, with their manifests.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/libs libs
COPY --from=build /app/apps apps
COPY --from=build /app/dist dist
# The embedded stores keep their files here (ROOST_DATA_DIR).
RUN mkdir .data && chown node:node .data
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Exec form: SIGTERM reaches node itself, which drains.
CMD ["node", "dist/main.js"]
