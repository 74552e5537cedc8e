// The four routes on Express, with zod for validation.
import express from "express";
import { z } from "zod";

const app = express();
const user = z.object({
  name: z.string().min(1).max(100),
  email: z.email(),
  age: z.int().min(0).max(150),
});
app.get("/plain", (req, res) => res.type("text/plain").send("Hello, World!"));
app.get("/json", (req, res) => res.json({ message: "Hello, World!" }));
app.get("/users/:id", (req, res) => res.type("text/plain").send(req.params.id));
app.post("/users", express.json({ limit: "4mb" }), (req, res) => {
  const { success, data, error } = user.safeParse(req.body);
  if (!success) return res.status(422).json(error.issues);
  res.json(data);
});
const server = app.listen(0, "127.0.0.1", () => console.log("127.0.0.1:" + server.address().port));
