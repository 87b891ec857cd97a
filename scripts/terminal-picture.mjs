// Runs a command in a real terminal of 92 columns and draws what stood there at the end as an SVG.
//
//   node scripts/terminal-picture.mjs docs/pictures/quickstart.svg [--cwd DIR] -- npx mlv quickstart
import {writeFileSync} from 'node:fs'
import pty from '@lydell/node-pty'
import xterm from '@xterm/headless'

const [file, ...rest] = process.argv.slice(2)
const cut = rest.indexOf('--')
const options = rest.slice(0, cut)
const [program, ...args] = rest.slice(cut + 1)
const cwd = options.includes('--cwd') ? options[options.indexOf('--cwd') + 1] : process.cwd()
const [columns, rows] = [92, 200]

const terminal = new xterm.Terminal({allowProposedApi: true, cols: columns, rows, scrollback: 5000})
const child = pty.spawn(program, args, {
  cols: columns,
  rows,
  cwd,
  env: {...process.env, COLORTERM: 'truecolor', TERM: 'xterm-256color'},
})
child.onData(data => terminal.write(data))
const {exitCode} = await new Promise(resolve => child.onExit(resolve))
await new Promise(resolve => terminal.write('', resolve))

// The sixteen colours of a quiet light-on-dark theme.
const palette = [
  '#1c2128',
  '#f47067',
  '#57ab5a',
  '#c69026',
  '#539bf5',
  '#b083f0',
  '#39c5cf',
  '#adbac7',
  '#768390',
  '#ff938a',
  '#6bc46d',
  '#daaa3f',
  '#6cb6ff',
  '#dcbdfb',
  '#56d4dd',
  '#cdd9e5',
]
const [cellWidth, lineHeight, padding] = [8.4, 19, 18]
const escapeXml = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function colour(cell) {
  if (cell.isFgPalette()) return palette[cell.getFgColor()] ?? palette[7]
  if (cell.isFgRGB()) return `#${cell.getFgColor().toString(16).padStart(6, '0')}`
  return palette[7]
}

/** One text line as runs of cells that look the same; each run is placed by its column, so that wide letters line up. */
function drawLine(line, y) {
  const runs = []
  for (let x = 0; x < columns; x++) {
    const cell = line.getCell(x)
    if (!cell || cell.getWidth() === 0) continue
    const style = `fill="${colour(cell)}"${cell.isBold() ? ' font-weight="bold"' : ''}${cell.isDim() ? ' opacity="0.65"' : ''}`
    const last = runs.at(-1)
    if (last?.style === style && last.end === x)
      Object.assign(last, {end: x + cell.getWidth(), text: last.text + (cell.getChars() || ' ')})
    else runs.push({end: x + cell.getWidth(), start: x, style, text: cell.getChars() || ' '})
  }
  return runs
    .filter(run => run.text.trim() !== '')
    .map(
      run =>
        `<text xml:space="preserve" x="${(padding + run.start * cellWidth).toFixed(1)}" y="${y}" ${run.style}>${escapeXml(run.text.trimEnd())}</text>`,
    )
    .join('')
}

const buffer = terminal.buffer.active
const lines = Array.from({length: buffer.length}, (_, index) => buffer.getLine(index))
while (lines.length > 0 && lines.at(-1)?.translateToString(true) === '') lines.pop()
const prompt = `<text x="${padding}" y="${padding + 14}" fill="${palette[2]}">$ <tspan fill="${palette[15]}">${escapeXml([program, ...args].join(' '))}</tspan></text>`
const body = lines.map((line, index) => drawLine(line, padding + 14 + (index + 2) * lineHeight)).join('\n')
const [width, height] = [
  Math.ceil(columns * cellWidth + 2 * padding),
  Math.ceil((lines.length + 2) * lineHeight + 2 * padding),
]
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">
<rect width="100%" height="100%" rx="8" fill="#22272e"/>
${prompt}
${body}
</svg>
`,
)
process.stderr.write(`${file}: ${lines.length} lines, exit code ${exitCode}\n`)
process.exitCode = exitCode
