export default {
  server: {
    proxy: {
      "/api": { target: "http://localhost:3000" },
      "/ws": { target: "ws://localhost:3000", ws: true },
    },
  },
};
