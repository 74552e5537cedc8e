// The four routes on Fastify, with its schemas for validation and for answers.
import Fastify from "fastify";

const app = Fastify({ bodyLimit: 4 << 20 });
const user = {
  type: "object",
  required: ["name", "email"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: 100 },
    email: { type: "string", format: "email" },
    age: { type: "integer", minimum: 0, maximum: 150 },
  },
};
const message = { type: "object", properties: { message: { type: "string" } } };
app.get("/plain", async () => "Hello, World!");
app.get("/json", { schema: { response: { 200: message } } }, async () => ({ message: "Hello, World!" }));
app.get("/users/:id", async (request) => request.params.id);
app.post("/users", { schema: { body: user, response: { 200: user } } }, async (request) => request.body);
await app.listen({ port: 0, host: "127.0.0.1" });
console.log("127.0.0.1:" + app.server.address().port);
