// Stands in for Ray's Jobs API where only simulated pods run: a job whose log grows line by line and then ends. A process of its
// own, so that a test may call programs meanwhile. Arguments: how many lines, how many milliseconds. Its first line is its port.
import {createServer} from 'node:http'

const [lines, milliseconds] = process.argv.slice(2).map(Number)
const text = Array.from({length: lines}, (_, at) => `line ${at} ${'·'.repeat(20)}\n`)
let began
const server = createServer((request, response) => {
  began ??= Date.now()
  const share = Math.min(1, (Date.now() - began) / milliseconds)
  const status = share === 1 ? 'SUCCEEDED' : 'RUNNING'
  const logs = text.slice(0, Math.floor(share * lines)).join('')
  const answer = request.url.endsWith('/logs') ? {logs} : {type: 'SUBMISSION', submission_id: 'j', status}
  response.end(JSON.stringify(answer))
})
process.stdin.resume().on('end', () => process.exit())
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
