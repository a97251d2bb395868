/**
 * Completion scripts. All three walk the words before the cursor with the same two tables: which word leads to which command, and what
 * follows which option.
 * @module
 */
import type { CompletedCommand, CompletedWord, Value } from './model.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  return { bash, zsh, fish }[shell](commands);
}

const programs = (commands: readonly CompletedCommand[]): string[] =>
  commands.map(({ path }) => path).filter((path) => !path.includes(' '));

/** `file`, `server`, `text`, or the words themselves. */
const spelled = (value: Value): string => (value.kind === 'words' ? `words ${value.words.join(' ')}` : value.kind);

/** Nothing of ours has a quote in it but descriptions. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

interface Row {
  /** `gpu-provision start --inventory` */
  readonly at: string;
  readonly gives: string;
}

const steps = (commands: readonly CompletedCommand[]): Row[] =>
  commands.flatMap(({ path, commands: below }) =>
    below.map(({ word }) => ({ at: `${path} ${word}`, gives: `${path} ${word}` })),
  );

const values = (commands: readonly CompletedCommand[]): Row[] =>
  commands.flatMap(({ path, options }) =>
    options.flatMap(({ word, value }) => (value === null ? [] : [{ at: `${path} ${word}`, gives: spelled(value) }])),
  );

const posixCases = (rows: readonly Row[], set: string): string =>
  rows.map(({ at, gives }) => `      ${quoted(at)}) ${set}=${quoted(gives)} ;;`).join('\n');

/** Both shells have this syntax; bash begins to count at 0, zsh at 1. */
const walk = (commands: readonly CompletedCommand[], first: number, words: string, cursor: string): string => `\
  for ((i = ${first}; i < ${cursor}; i++)); do
    word=\${${words}[i]}
    # bash cuts --option=value into three words.
    if [[ $word == = ]]; then continue; fi
    if [[ -n $value ]]; then value=; continue; fi
    if [[ $word == -* ]]; then
      case "$at $word" in
${posixCases(values(commands), 'value')}
      esac
    else
      case "$at $word" in
${posixCases(steps(commands), 'at')}
      esac
    fi
  done`;

const SERVERS = (words: string, cursor: string): string => `\
  for ((i = 1; i < ${cursor}; i++)); do
    if [[ \${${words}[i]} == --inventory ]]; then file=("\${${words}[i + 1]}"); fi
  done
  gpu-provision inventory servers "\${file[@]}" 2>/dev/null`;

const perCommand = (commands: readonly CompletedCommand[], line: (command: CompletedCommand) => string): string =>
  commands.map((command) => `    ${quoted(command.path)})\n${line(command)} ;;`).join('\n');

const wordsOf = (words: readonly CompletedWord[]): string => words.map(({ word }) => word).join(' ');
const argumentOf = ({ argument }: CompletedCommand): string => (argument === null ? 'text' : spelled(argument));

function bash(commands: readonly CompletedCommand[]): string {
  return `# Completion of gpu-provision for bash 4 and newer:  source <(gpu-provision completion bash)
_gpu_provision_servers() {
  local i file=()
${SERVERS('COMP_WORDS', 'COMP_CWORD')}
}
_gpu_provision() {
  local current=\${COMP_WORDS[COMP_CWORD]} at=\${COMP_WORDS[0]##*/} value= options= commands= argument= word i
${walk(commands, 1, 'COMP_WORDS', 'COMP_CWORD')}
  case $at in
${perCommand(
  commands,
  (command) =>
    `      options=${quoted(wordsOf(command.options))} commands=${quoted(wordsOf(command.commands))} argument=${quoted(argumentOf(command))}`,
)}
  esac
  if [[ $current == = ]]; then current=; fi
  if [[ -z $value && $current == -* ]]; then value="words $options"; fi
  if [[ -z $value ]]; then
    if [[ -n $commands ]]; then value="words $commands"; else value=$argument; fi
  fi
  case $value in
    server) mapfile -t COMPREPLY < <(compgen -W "$(_gpu_provision_servers)" -- "$current") ;;
    file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null || true ;;
    words*) mapfile -t COMPREPLY < <(compgen -W "\${value#words}" -- "$current") ;;
    *) COMPREPLY=() ;;
  esac
}
complete -F _gpu_provision ${programs(commands).join(' ')}
`;
}

/** `'--json:results as JSON'`: what _describe splits at its first colon. */
const described = (words: readonly CompletedWord[]): string =>
  words.map(({ word, about }) => quoted(`${word.replaceAll(':', '\\:')}:${about}`)).join(' ');

function zsh(commands: readonly CompletedCommand[]): string {
  return `#compdef ${programs(commands).join(' ')}
# Completion of gpu-provision for zsh:  source <(gpu-provision completion zsh), after compinit
_gpu_provision_servers() {
  local i
  local -a file
${SERVERS('words', 'CURRENT')}
}
_gpu_provision() {
  local at=\${words[1]:t} value= argument= word i
  local -a options commands
${walk(commands, 2, 'words', 'CURRENT')}
  case $at in
${perCommand(
  commands,
  (command) =>
    `      options=(${described(command.options)}) commands=(${described(command.commands)}) argument=${quoted(argumentOf(command))}`,
)}
  esac
  if [[ -z $value && \${words[CURRENT]} == -* ]]; then _describe option options; return; fi
  if [[ -z $value && \${#commands} -gt 0 ]]; then _describe command commands; return; fi
  case \${value:-$argument} in
    server) compadd -- \${(f)"$(_gpu_provision_servers)"} ;;
    file) _files ;;
    words*) compadd -- \${=\${value:-$argument}#words} ;;
  esac
}
compdef _gpu_provision ${programs(commands).join(' ')}
`;
}

const fishCases = (rows: readonly Row[], set: string): string =>
  rows.map(({ at, gives }) => `        case ${fishQuoted(at)}\n          set ${set} ${fishQuoted(gives)}`).join('\n');

const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", `\\'`)}'`;

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ path, commands: below, options, argument }) => {
    const [program = ''] = path.split(' ');
    const here = `complete -c ${program} -n ${fishQuoted(`__gpu_provision_at ${fishQuoted(path)}`)}`;
    const gives = (value: Value | null): string => {
      if (value === null) return '';
      if (value.kind === 'file') return ' -r -F';
      if (value.kind === 'server') return ` -x -a '(__gpu_provision_servers)'`;
      return value.kind === 'words' ? ` -x -a ${fishQuoted(value.words.join(' '))}` : ' -x';
    };
    return [
      ...below.map(({ word, about }) => `${here} -a ${word} -d ${fishQuoted(about)}`),
      ...options.map(
        ({ word, about, value }) => `${here} -l ${word.replace(/^--/, '')}${gives(value)} -d ${fishQuoted(about)}`,
      ),
      ...(argument === null || argument.kind === 'text' ? [] : [`${here}${gives(argument).replace(' -r', '')}`]),
    ];
  });
  return `# Completion of gpu-provision for fish:  gpu-provision completion fish | source
function __gpu_provision_at
  set -l at (string replace -r '.*/' '' -- (commandline -opc)[1])
  set -l value ''
  for word in (commandline -opc)[2..-1]
    if test -n "$value"
      set value ''
    else if string match -q -- '-*' $word
      switch "$at $word"
${fishCases(values(commands), 'value')}
      end
    else
      switch "$at $word"
${fishCases(steps(commands), 'at')}
      end
    end
  end
  test "$at" = "$argv[1]"
end
function __gpu_provision_servers
  set -l before (commandline -opc)
  set -l found (contains -i -- --inventory $before); and set -l file $before[(math $found + 1)]
  gpu-provision inventory servers $file 2>/dev/null
end
${programs(commands)
  .map((program) => `complete -c ${program} -f`)
  .join('\n')}
${lines.join('\n')}
`;
}
