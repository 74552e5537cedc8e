import type { Channel, Events, In, Socket, State } from "./index.js";

/** Makes the socket after the first render, again when deps change, and closes it one second after the component has gone. Until then, and on a server, the socket is idle and takes nothing. */
export function useSocket<C extends Channel>(make: () => Socket<C>, deps: readonly unknown[]): Socket<C>;
/** Renders again at each change of the state. */
export function useSocketState(socket: Socket<any>): State;
/** Calls the f of the last render with each event. */
export function useEvent<C extends Channel, E extends Events<C["serverToClient"]>>(
  socket: Socket<C>,
  event: E,
  f: (data: In<C["serverToClient"][E]>) => void,
): void;
