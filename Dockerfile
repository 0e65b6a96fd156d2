# Longhaul's API, worker and migration in one image; the command says which. It needs glibc: Alpine will not do.
FROM node:22.21.1-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN node build.mjs && npm prune --omit=dev

FROM node:22.21.1-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends bash ca-certificates git openssh-client \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/db/migrations db/migrations
COPY --from=build /app/schemas schemas
ENV NODE_ENV=production LONGHAUL_HOME=/var/lib/longhaul
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/longhaul \
  && install --directory --owner=node --group=node /projects
USER node
EXPOSE 3456
CMD ["node", "dist/local/api-main.js"]
