// The stage of sdks/conformance, asked over HTTP.

/** Asks the stage; an answer that is none is an error. */
export async function ask(control, method, path, body) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(control + path, { method, headers, body: text });
  const said = await response.json();
  if (!response.ok) throw new Error(`the stage, ${method} ${path}: ${said.error}`);
  return said;
}

/** A gateway on the stage. */
export class Gateway {
  static async open(control, settings = {}) {
    const gateway = new Gateway();
    Object.assign(gateway, await ask(control, 'POST', '/gateways', settings));
    gateway.control = control;
    return gateway;
  }

  /** Does one of the stage's actions: cut, heal, drop, restart, publish, tokens, expire. */
  act(action, body = {}) {
    return ask(this.control, 'POST', `/gateways/${this.id}/${action}`, body);
  }

  async metric(name) {
    return (await ask(this.control, 'GET', `/gateways/${this.id}/metrics/${name}`)).value;
  }

  close() {
    return ask(this.control, 'DELETE', `/gateways/${this.id}`);
  }
}
