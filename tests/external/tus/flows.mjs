// tus-js-client's own flows. Arguments: its folder, the server's url, token, and a file to send.
// Prints one JSON object: flow -> the URL that the upload has.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'

const [folder, url, token, file] = process.argv.slice(2)
const tus = createRequire(`${folder}/`)('tus-js-client')
const endpoint = `${url}/api/v1/uploads`
const size = fs.statSync(file).size
const common = {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  retryDelays: [0, 100, 500],
  metadata: { filename: 'flow.bin' },
}

function send(input, options) {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(input, {
      ...common,
      ...options,
      onError: reject,
      onSuccess: () => resolve(upload.url),
    })
    upload.start()
  })
}
const stream = () => fs.createReadStream(file)

// Aborted in the middle, then gone on with by another object, as after a restart of the client.
async function resumed() {
  const url = await new Promise((resolve, reject) => {
    const first = new tus.Upload(stream(), {
      ...common,
      uploadSize: size,
      chunkSize: 1 << 20,
      onError: reject,
      onChunkComplete: async (_chunk, accepted) => {
        if (accepted < size / 2) return
        await first.abort()
        resolve(first.url)
      },
    })
    first.start()
  })
  return send(stream(), { uploadUrl: url, uploadSize: size, chunkSize: 1 << 20 })
}

async function terminated() {
  const url = await send(Buffer.from('gone'), {})
  await tus.Upload.terminate(url, common)
  return url
}

const flows = {
  whole: () => send(stream(), {}),
  chunks: () => send(stream(), { uploadSize: size, chunkSize: 3_000_000 }),
  duringCreation: () => send(fs.readFileSync(file), { uploadDataDuringCreation: true }),
  override: () => send(stream(), { overridePatchMethod: true }),
  // A stream without a file behind it, whose length nobody knows.
  deferred: () =>
    send(stream().pipe(new PassThrough()), { uploadLengthDeferred: true, chunkSize: 1 << 20 }),
  parallel: () => send(fs.readFileSync(file), { parallelUploads: 4 }),
  resumed,
  terminated,
}
const urls = {}
for (const [name, flow] of Object.entries(flows)) {
  try {
    urls[name] = await flow()
  } catch (problem) {
    console.error(`${name}: ${problem}`)
    process.exit(1)
  }
}
console.log(JSON.stringify(urls))
