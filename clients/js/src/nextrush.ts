// All of it in one file, for pages without a bundler.
export * from "./index";
export { presence } from "./presence";
