// npm run dev serves the page on port 5173, and passes the rest on to the program.
export default {
  server: {
    proxy: {
      "/list": { target: "ws://localhost:3000", ws: true },
    },
  },
};
