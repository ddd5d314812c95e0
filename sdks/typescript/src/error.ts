/** The base of all errors of this package. To be aborted is the `AbortError` of the platform instead. */
export class MaculaError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
