/** Whether a case is for this transport. */
export function isFor({ transports }, transport) {
  return transports === undefined || transports.includes(transport);
}
