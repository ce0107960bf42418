/* Keeps the page's files, so that it works without a connection. What the server has is preferred. */
const KEPT = "lacuna";
const FILES = [
  "./",
  "index.html",
  "page.css",
  "draw.css",
  "page.js",
  "draw.js",
  "read.js",
  "clouds.js",
  "svg.js",
  "race.js",
  "learner.js",
  "lacuna.js",
  "worker.js",
  "engine.js",
  "engine_bg.wasm",
  "nine-holes.csv",
];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((kept) => kept.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const keep = async () => {
    const kept = () => caches.match(event.request, { ignoreSearch: true });
    let fresh;
    try {
      fresh = await fetch(event.request);
    } catch (error) {
      return (await kept()) ?? Promise.reject(error);
    }
    if (!fresh.ok) return (await kept()) ?? fresh;
    const copy = fresh.clone();
    (await caches.open(KEPT)).put(event.request, copy);
    return fresh;
  };
  event.respondWith(keep());
});
