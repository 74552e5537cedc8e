// Reloads the page when the program behind it is another one.
(() => {
  const mine = new URL(document.currentScript.src).search.slice(1);
  const connect = () => {
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/.nextrush/dev");
    socket.onmessage = ({ data }) => data !== mine && location.reload();
    socket.onclose = () => setTimeout(connect, 1000);
  };
  connect();
})();
