// List 1.0.0: events of its WebSockets

export interface Wish {
  "what": string;
}

export interface WishOutput {
  "what": string;
}

export interface Channels {
  "/list": {
    clientToServer: {
      "add": (data: Wish) => Promise<boolean>;
    };
    serverToClient: {
      "added": (data: WishOutput) => void;
    };
  };
}
