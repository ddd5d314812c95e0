// Tells redocly what stands in the extensions of `/v1/connect`: schemas, which are used there.
export default () => ({
  id: 'frames',
  typeExtension: {
    oas3: (types) => ({
      ...types,
      Operation: {
        ...types.Operation,
        properties: { ...types.Operation.properties, 'x-client-frame': 'Schema', 'x-gateway-frame': 'Schema' },
      },
    }),
  },
})
