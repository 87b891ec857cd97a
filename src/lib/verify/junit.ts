import type {VerifyResult} from './canary.js'

/** The results as CI systems show them: one test case a canary. */
export function junitXml(result: VerifyResult): string {
  const cases = result.canaries.map(({detail, id, seconds, state, title}) => {
    const open = `    <testcase classname="mlv.verify.${attribute(id)}" name="${attribute(title)}" time="${seconds.toFixed(3)}"`
    const inside = {
      failed: `<failure message="${attribute(detail)}"/>`,
      skipped: `<skipped message="${attribute(detail)}"/>`,
      passed: `<system-out>${content(detail)}</system-out>`,
      warned: `<system-out>warning: ${content(detail)}</system-out>`,
    }
    return `${open}>\n      ${inside[state]}\n    </testcase>`
  })
  const counts = `tests="${result.canaries.length}" failures="${result.failed}" errors="0" skipped="${result.skipped}" time="${result.seconds.toFixed(3)}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="mlv verify ${attribute(result.profile)}" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function content(text: string): string {
  // XML has no way to write most control characters.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
  const printable = text.replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
  return printable.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function attribute(text: string): string {
  return content(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;')
}
