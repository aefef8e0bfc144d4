// The decoder. It knows how to read layouts and expressions, and no layout: every bit number, mask and type number
// comes from the JSON value in the page, which the library made of its own layouts.
//
// `pmdswp.decode` and `pmdswp.encode` are the codec, and touch no element. What follows them is the page.

"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);

// Input that is refused, with a message for people; any other error is a bug of this page.
class Refusal extends Error {}

// --- numbers and expressions ----------------------------------------------------------------------------------------

const hex = (number) => (number < 0n ? `-0x${(-number).toString(16)}` : `0x${number.toString(16)}`);
const digits = (number) => number.toString(16).padStart(DATA.word_bits / 4, "0");
const hexWord = (word) => `0x${digits(word)}`;
const isWord = (number) => number === BigInt.asUintN(DATA.word_bits, number);
const MAX_WORD = BigInt.asUintN(DATA.word_bits, -1n);

const OPERATORS = {
  "&": (left, right) => left & right,
  "|": (left, right) => left | right,
  "^": (left, right) => left ^ right,
  "*": (left, right) => BigInt.asUintN(DATA.word_bits, left * right),
  "-": (left, right) => BigInt.asUintN(DATA.word_bits, left - right),
  "<<": (left, right) => BigInt.asUintN(DATA.word_bits, left << right),
  ">>": (left, right) => left >> right,
  "==": (left, right) => BigInt(left === right),
  "!=": (left, right) => BigInt(left !== right),
  "<": (left, right) => BigInt(left < right),
};

// The value of an expression tree: [operator, left, right], a name, or a number as text.
function evaluate(tree, names) {
  if (Array.isArray(tree)) {
    const [operator, left, right] = tree;
    return OPERATORS[operator](evaluate(left, names), evaluate(right, names));
  }
  return Object.hasOwn(names, tree) ? names[tree] : BigInt(tree);
}

// The value of an expression by its number in the pool.
const compute = (number, names) => evaluate(DATA.expressions[number].tree, names);

const fieldMax = (field) => (1n << BigInt(field.width)) - 1n;

function getField(field, word) {
  const number = (word >> BigInt(field.lsb)) & fieldMax(field);
  return field.inverted ? number ^ fieldMax(field) : number;
}

// A number in the place of a field, all other bits zero; for fields that are not inverted.
const putField = (field, number) => number << BigInt(field.lsb);

// --- configurations -------------------------------------------------------------------------------------------------

const sameList = (values) => JSON.stringify(values);

// Options with values of which every combination is a configuration of its own, in the order of their resolution; and
// those that decide present words alone.
const listedOptions = (arch) => arch.options.filter((option) => option.values && !option.of_present);
const presentOptions = (arch) => arch.options.filter((option) => option.of_present);
const optionsOfForm = (arch, form) => arch.options.filter((option) => option.form === form);

function findArch(name) {
  for (const [own, arch] of Object.entries(DATA.arches)) {
    if (own === name || arch.aliases.includes(name)) return { ...arch, name: own };
  }
  throw new Refusal(`no architecture '${name}'; allowed: ${Object.keys(DATA.arches).join(", ")}`);
}

// Things that are found by keys -> every way in which a key can begin, as JSON.
const beginnings = new Map();

function possibleBeginnings(keyed) {
  if (!beginnings.has(keyed)) {
    const possible = new Set();
    for (const key of Object.keys(keyed)) {
      const values = JSON.parse(key);
      values.forEach((_value, index) => possible.add(sameList(values.slice(0, index + 1))));
    }
    beginnings.set(keyed, possible);
  }
  return beginnings.get(keyed);
}

// In the key of a configuration the name of a revision stands for each of its releases.
const inKey = (arch, option, value) => (option.name === "kernel" ? arch.revisions[value] : value);

// Each of some options with its value, the values that are possible after the earlier ones, and the default, which is
// the first of these; and the key of what is so found. What is asked for and not possible gives way to the default.
function resolveKey(arch, options, keyed, wanted) {
  const possible = possibleBeginnings(keyed);
  const earlier = [];
  const listed = options.map((option) => {
    const isPossible = (value) => possible.has(sameList([...earlier, inKey(arch, option, value)]));
    const allowed = option.values.filter(isPossible);
    const value = allowed.includes(wanted[option.name]) ? wanted[option.name] : allowed[0];
    earlier.push(inKey(arch, option, value));
    return { option, value, allowed, usual: allowed[0] };
  });
  return { listed, key: sameList(earlier) };
}

const physmemKey = (bits) => (bits === null ? "none" : String(bits));

function resolvePhysmem(arch, physmem, wanted) {
  const [option] = optionsOfForm(arch, "physmem");
  const asNumber = (key) => (key === "none" ? null : Number(key));
  const allowed = Object.keys(physmem.values).map(asNumber);
  const usual = asNumber(physmem.default);
  const value = allowed.includes(wanted[option.name]) ? wanted[option.name] : usual;
  return { option, value, allowed, usual };
}

function readAddress(text, pageSize) {
  const number = parseNumber(text, "address");
  if (!isWord(number) || number % BigInt(pageSize)) {
    const multiple = `a multiple of ${hex(BigInt(pageSize))}`;
    throw new Refusal(`address ${hex(number)} is not ${multiple} within 0..${hex(MAX_WORD)}`);
  }
  return hex(number);
}

function resolveAddresses(arch, pageSize, wanted) {
  return optionsOfForm(arch, "address").map((option) => {
    return { option, value: readAddress(wanted[option.name] ?? option.example, pageSize), usual: option.example };
  });
}

// The levels that there are, from the PTE up: what their present words are, and below them what their softleaves are.
function levelsOf(tables, softleaves) {
  const joined = ([name, number]) => {
    const present = DATA.presents[number];
    const { layout = null, helpers = present.helpers } = softleaves[name] ?? {};
    return [name, { layout, helpers, present }];
  };
  return Object.fromEntries(Object.entries(tables).map(joined));
}

// One configuration: the options as resolved, and what the data has for them. Only a bad address is refused here.
function configure(archName, wanted = {}) {
  const arch = findArch(archName);
  const { listed, key } = resolveKey(arch, listedOptions(arch), arch.configurations, wanted);
  const [pte, pmd, types, geometry, physmem, view] = arch.configurations[key];
  const views = DATA.views[view];
  const ofPresent = resolveKey(arch, presentOptions(arch), views, wanted);
  const tables = DATA.tables[views[ofPresent.key]];
  const memory = resolvePhysmem(arch, DATA.physmem[physmem], wanted);
  const addresses = resolveAddresses(arch, DATA.geometries[geometry].page_size, wanted);
  const [pfnBits, migrationBits] = DATA.physmem[physmem].values[physmemKey(memory.value)];
  // in the order in which the architecture lists them
  const choices = [...listed, ...ofPresent.listed, memory, ...addresses];
  const inOrder = arch.options.map((option) => choices.find((choice) => choice.option.name === option.name));
  return {
    arch,
    choices: inOrder,
    options: Object.fromEntries(inOrder.map((choice) => [choice.option.name, choice.value])),
    levels: levelsOf(tables, { pte: DATA.levels[pte], pmd: DATA.levels[pmd] }),
    types: DATA.types[types],
    geometry: DATA.geometries[geometry],
    pfnBits,
    migrationBits,
    addresses: Object.fromEntries(addresses.map(({ option, value }) => [option.name, BigInt(value)])),
  };
}

// A configuration in which every option asked for must be possible.
function configureExactly(archName, wanted = {}) {
  const configuration = configure(archName, wanted);
  const { arch, options, choices } = configuration;
  for (const [name, value] of Object.entries(wanted)) {
    if (!Object.hasOwn(options, name)) {
      throw new Refusal(`${arch.name} has no option '${name}'; allowed: ${Object.keys(options).join(", ")}`);
    }
    const { option, allowed } = choices.find((choice) => choice.option.name === name);
    if (option.form !== "address" && options[name] !== value) {
      throw new Refusal(`${arch.name} cannot have ${name}=${value}; allowed: ${allowed.map(String).join(", ")}`);
    }
  }
  return configuration;
}

// Words that are none of page tables stand beside the levels: values of swp_entry_t, words of pagemap.
const isValue = (level) => Object.hasOwn(DATA.values, level);

function levelOf(configuration, level) {
  const { levels } = configuration;
  if (!Object.hasOwn(levels, level)) throw new Refusal(`no level '${level}'; allowed: ${Object.keys(levels).join(", ")}`);
  return levels[level];
}

// What expressions may name: the word, and the addresses of the configuration.
const namesOf = (configuration, word) => ({ v: word, ...configuration.addresses });

const fieldsOf = (layout) => layout.fields.map((number) => DATA.fields[number]);
// The form of the words of a state: how a page's, a table's or a softleaf's bits are laid out.
function formOf({ layout, present }, state) {
  const number = { PRESENT: present.page, TABLE: present.table }[state];
  if (number !== undefined) return DATA.forms[number];
  return state === "SOFTLEAF" ? layout : null;
}

const flagsOf = (layout) => fieldsOf(layout).filter((field) => field.kind === "flag");
// the flags that a layout has, in the library's order
const flagNames = (layout) => DATA.flags.filter((flag) => flagsOf(layout).some((field) => field.name === flag));
const noFlags = () => Object.fromEntries(DATA.flags.map((flag) => [flag, 0n]));
const hazardsOf = (layout) => (layout ? layout.hazards.map((number) => DATA.hazards[number]) : []);

// --- decode ---------------------------------------------------------------------------------------------------------

// The bits that stand otherwise than any encoder leaves them: fixed ones that differ, unused ones that are set.
function strayBits(layout, word) {
  return fieldsOf(layout)
    .filter((field) => field.kind === "fixed" || field.kind === "zero")
    .reduce((bits, field) => bits | putField(field, getField(field, word) ^ BigInt(field.value)), 0n);
}

// Name -> answer of the kernel's predicates.
function askPredicates(configuration, level, word) {
  const names = namesOf(configuration, word);
  const { helpers, present } = levelOf(configuration, level);
  const isPredicate = (name) => helpers === present.helpers || DATA.predicates.includes(name);
  const asked = Object.entries(helpers).filter(([name]) => isPredicate(name));
  return Object.fromEntries(asked.map(([name, number]) => [name, compute(number, names) !== 0n]));
}

function stateOf(level, layout, predicates) {
  if (predicates[`${level}_none`]) return "NONE";
  // a PTE has no tables below it
  if (predicates[`${level}_present`]) return level === "pte" || predicates[`${level}_leaf`] ? "PRESENT" : "TABLE";
  return layout ? "SOFTLEAF" : "BAD";
}

function kindOf(types, type, offset) {
  if (type >= DATA.softleaf.types) return "UNKNOWN";
  if (type === 0 && offset === 0n) return "NONE";
  const special = Object.entries(types.numbers).find(([_name, numbers]) => numbers.includes(type));
  return special ? special[0] : "SWAP";
}

// Young and dirty, which stand above the PFN in that order; only migration entries can have them.
function migrationBits(configuration, kind, offset) {
  const readable = DATA.kinds[kind].migration && configuration.migrationBits;
  const isSet = (index) => readable && ((offset >> BigInt(configuration.pfnBits + index)) & 1n) === 1n;
  return Object.fromEntries(DATA.softleaf.above_pfn.map((name, index) => [name, isSet(index)]));
}

const pfnOf = (configuration, offset) => offset & ((1n << BigInt(configuration.pfnBits)) - 1n);

function markerNames(types, offset) {
  return Object.entries(types.marker_bits)
    .filter(([_name, bit]) => offset & BigInt(bit))
    .map(([name]) => name);
}

function bytesInMemory(arch, word) {
  const bytes = digits(word).match(/../g);
  return (arch.byteorder === "big" ? bytes : bytes.reverse()).join("");
}

// What the word says apart from type and offset, by the same names as in the library's record.
function kindDetails(configuration, kind, offset) {
  const properties = DATA.kinds[kind];
  if (properties.pfn) return migrationBits(configuration, kind, offset);
  return properties.marker ? { markers: markerNames(configuration.types, offset) } : {};
}

// The hazards to which a word falls when it was stored as an entry.
function misread(layout, word) {
  if (!layout || strayBits(layout, word)) return [];
  const names = noFlags();
  for (const field of fieldsOf(layout)) names[field.name] = getField(field, word);
  return hazardsOf(layout).filter((hazard) => evaluate(hazard.entry.tree, names));
}

// The frame, the address and the attributes of a present word; of a softleaf the frame that its offset holds.
function placeOf(configuration, level, state, word, kind, offset) {
  const { present } = levelOf(configuration, level);
  const number = { PRESENT: present.page, TABLE: present.table }[state];
  if (number === undefined) {
    const pfn = DATA.kinds[kind].pfn ? hex(pfnOf(configuration, offset)) : null;
    return { pfn, address: null, attributes: [] };
  }
  const names = namesOf(configuration, word);
  const address = compute(DATA.forms[number].address, names);
  const isSet = (name) => Object.hasOwn(present.attributes, name) && compute(present.attributes[name], names) !== 0n;
  const pfn = address / BigInt(configuration.geometry.page_size);
  return { pfn: hex(pfn), address: hex(address), attributes: DATA.attributes.filter(isSet) };
}

function decodeWith(configuration, level, word) {
  const found = levelOf(configuration, level);
  const { layout } = found;
  const predicates = askPredicates(configuration, level, word);
  const state = stateOf(level, layout, predicates);
  const isLeaf = state === "SOFTLEAF";
  const type = isLeaf ? Number(compute(layout.type, { v: word })) : null;
  const offset = isLeaf ? compute(layout.offset, { v: word }) : null;
  const kind = isLeaf ? kindOf(configuration.types, type, offset) : "NONE";
  const isSet = (flag) => isLeaf && flagsOf(layout).some((field) => field.name === flag && getField(field, word));
  const form = formOf(found, state);
  return {
    arch: configuration.arch.name,
    kernel: configuration.options.kernel,
    level,
    raw: hexWord(word),
    state,
    kind,
    type,
    offset: isLeaf ? hex(offset) : null,
    ...Object.fromEntries(DATA.flags.map((flag) => [flag, isSet(flag)])),
    bytes: bytesInMemory(configuration.arch, word),
    ...placeOf(configuration, level, state, word, kind, offset),
    ...(form && { stray_bits: hex(strayBits(form, word)) }),
    ...(isLeaf && kindDetails(configuration, kind, offset)),
    predicates,
    hazards: misread(layout, word).map((hazard) => hazard.entries),
  };
}

// --- words that are none of page tables -----------------------------------------------------------------------------

const fieldNamed = (form, name) => fieldsOf(form).find((field) => field.name === name);

const entryForm = ({ types }) => DATA.values.entry.forms[types.swp_type_shift];

// The value of swp_entry_t that the kernel computes for a softleaf.
function entryValue(configuration, type, offset) {
  const form = entryForm(configuration);
  return putField(fieldNamed(form, "type"), BigInt(type)) | putField(fieldNamed(form, "offset"), offset);
}

// The word of a level that holds a softleaf, without flags; null where none does.
function wordOfLeaf(configuration, level, type, offset) {
  try {
    return encodeWith(configuration, level, { type, offset });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return null;
  }
}

function decodeEntry(configuration, word) {
  const form = entryForm(configuration);
  const type = Number(word >> BigInt(fieldNamed(form, "type").lsb));
  const offset = getField(fieldNamed(form, "offset"), word);
  const kind = kindOf(configuration.types, type, offset);
  const pte = wordOfLeaf(configuration, "pte", type, offset);
  return {
    state: word ? "SOFTLEAF" : "NONE",
    kind,
    type,
    offset: hex(offset),
    pfn: DATA.kinds[kind].pfn ? hex(pfnOf(configuration, offset)) : null,
    pte,
    pmd: wordOfLeaf(configuration, "pmd", type, offset),
    bytes: pte && bytesInMemory(configuration.arch, BigInt(pte)),
    ...kindDetails(configuration, kind, offset),
  };
}

function decodePagemap(configuration, word) {
  const { forms, flags } = DATA.values.pagemap;
  const isSet = (name) => getField(fieldNamed(forms.NONE, name), word) === 1n;
  const state = isSet("present") ? "PRESENT" : isSet("swap") ? "SOFTLEAF" : "NONE";
  const form = forms[state];
  const isLeaf = state === "SOFTLEAF";
  const type = isLeaf ? Number(getField(fieldNamed(form, "type"), word)) : null;
  const offset = isLeaf ? getField(fieldNamed(form, "offset"), word) : null;
  // a page is not present and swapped out at once
  const states = ["present", "swap"].map((name) => putField(fieldNamed(form, name), 1n));
  const both = states.every((bit) => word & bit) ? states[0] | states[1] : 0n;
  return {
    state,
    kind: isLeaf ? kindOf(configuration.types, type, offset) : "NONE",
    type,
    offset: isLeaf ? hex(offset) : null,
    pfn: state === "PRESENT" ? hex(getField(fieldNamed(form, "pfn"), word)) : null,
    flags: flags.filter(isSet),
    stray_bits: hex(strayBits(form, word) | both),
  };
}

function decodeValue(configuration, level, word) {
  const decoded = (level === "entry" ? decodeEntry : decodePagemap)(configuration, word);
  const { arch, options } = configuration;
  return { arch: arch.name, kernel: options.kernel, level, raw: hexWord(word), ...decoded };
}

const decodeAny = (configuration, level, word) =>
  isValue(level) ? decodeValue(configuration, level, word) : decodeWith(configuration, level, word);

// --- encode ---------------------------------------------------------------------------------------------------------

function checkRange(number, name, largest) {
  if (number < 0n || number > largest) throw new Refusal(`${name} ${hex(number)} is not within 0..${hex(largest)}`);
}

function encodeWith(configuration, level, { type, offset, ...flags }) {
  const { layout } = levelOf(configuration, level);
  const where = `${configuration.arch.name} kernel ${configuration.options.kernel}`;
  const name = level.toUpperCase();
  if (!layout) throw new Refusal(`${where} has no software leaf in a ${name}, with these options`);
  const offsetField = fieldsOf(layout).find((field) => field.name === "offset");
  const names = { type: parseNumber(type, "type"), offset: parseNumber(offset, "offset") };
  checkRange(names.type, "type", BigInt(DATA.softleaf.types - 1));
  checkRange(names.offset, "offset", fieldMax(offsetField));
  let word = compute(layout.encode, names);
  for (const flag of Object.keys(flags).filter((key) => flags[key])) {
    const field = flagsOf(layout).find((candidate) => candidate.name === flag);
    if (!field) {
      const allowed = flagNames(layout).join(", ") || "none";
      throw new Refusal(`flag ${flag}: ${where} has no such bit in a swap ${name}; allowed: ${allowed}`);
    }
    word |= putField(field, 1n);
  }
  return hexWord(word);
}

// --- text to numbers ------------------------------------------------------------------------------------------------

const WORD_FORM = /^(?:0x[0-9a-f]+|[0-9a-f]{16}|0)$/i;
const NUMBER_FORM = /^-?(?:0x[0-9a-f]+|0|[1-9][0-9]*)$/i;

const excerpt = (text) => `'${text.length <= 40 ? text : `${text.slice(0, 40)}...`}'`;

// A number, a BigInt, or the text of either in decimal or 0x hex.
function parseNumber(value, name) {
  const text = String(value).trim();
  if (!NUMBER_FORM.test(text)) {
    throw new Refusal(`${name} ${excerpt(text)} is not a number: decimal, or 0x and hex digits`);
  }
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

function parseWord(value) {
  const text = typeof value === "bigint" ? hex(value) : String(value).trim();
  if (!WORD_FORM.test(text)) throw new Refusal(`${excerpt(text)} is not a word: 0x and hex digits, or 16 bare hex digits`);
  const word = BigInt(/^0x/i.test(text) ? text.toLowerCase() : `0x${text}`);
  if (!isWord(word)) throw new Refusal(`word ${excerpt(hex(word))} is not within 0..${hex(MAX_WORD)}`);
  return word;
}

function parseBytes(text, arch) {
  const bare = text.replace(/0x|:/gi, "");
  if (!/^\s*(?:[0-9a-f]{2}\s*)*$/i.test(bare)) throw new Refusal(`${excerpt(text)} is not bytes in hex`);
  const bytes = bare.match(/[0-9a-f]{2}/gi) ?? [];
  const size = DATA.word_bits / 8;
  if (bytes.length !== size) throw new Refusal(`a page-table word has ${size} bytes, not ${bytes.length}`);
  return BigInt(`0x${(arch.byteorder === "big" ? bytes : bytes.reverse()).join("")}`);
}

// --- the codec, for scripts -----------------------------------------------------------------------------------------

window.pmdswp = Object.freeze({
  // What a word is: the record of the library's `entry_record`, with `predicates` and `hazards`; of what is none of
  // page tables, that of its `value_record`.
  decode(archName, options, level, word) {
    return decodeAny(configureExactly(archName, options), level, parseWord(word));
  },
  // The word that holds {type, offset, exclusive, soft_dirty, uffd}, as 0x text.
  encode(archName, options, level, fields) {
    return encodeWith(configureExactly(archName, options), level, fields);
  },
  // All options, with what is not possible replaced by what is.
  resolve(archName, options) {
    return configure(archName, options).options;
  },
});

// --- the page: elements ---------------------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);

// An element with properties (or attributes, where the name has a dash or is "role") and children.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "tone") setTone(made, value);
    else if (name === "span") made.style.gridColumn = `span ${value}`;
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// The colours of a kind of field: see the style sheet's variables.
function setTone(target, tone) {
  for (const part of ["fill", "edge", "ink"]) target.style.setProperty(`--${part}`, `var(--pmdswp-${tone}-${part})`);
}

function say(target, text) {
  target.textContent = text;
  target.hidden = !text;
}

// Run `action`; a refusal becomes the text of `place` and gives null.
function orSay(place, action) {
  try {
    const result = action();
    say(place, "");
    return result;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(place, error.message);
    return null;
  }
}

// --- the page: what it shows ----------------------------------------------------------------------------------------

const USUAL_LEVEL = "pmd";

// `wanted` has only the options that somebody chose: the others follow the defaults. The text is what counts; the
// word is read out of it, with the architecture's byte order where it is bytes.
const page = {
  arch: Object.keys(DATA.arches)[0],
  level: USUAL_LEVEL,
  wanted: {},
  text: "",
  configuration: null,
  // false where an address that it needs is bad
  isComplete: false,
  word: null,
  isNarrow: false,
  // bit that has the keyboard in the ruler
  cursor: DATA.word_bits - 1,
};

const modeIsBytes = () => byId("mode-bytes").checked;
// the layout of a softleaf; null where there can be none
const layoutOf = () => page.configuration.levels[page.level]?.layout ?? null;

// The layout in which the bits of the word are shown: where the kernel sees no entry, that of a softleaf if one can be.
function shownLayout(record) {
  if (page.level === "entry") return entryForm(page.configuration);
  if (page.level === "pagemap") return DATA.values.pagemap.forms[record.state];
  return formOf(page.configuration.levels[page.level], record.state) ?? layoutOf();
}

// The word as its fields are shown: what is stored inverted is turned back.
function shownWord(record) {
  if (isValue(page.level)) return page.word;
  const { plain } = page.configuration.levels[page.level].present;
  return record.state === "PRESENT" ? compute(plain, namesOf(page.configuration, page.word)) : page.word;
}

function textOf(word) {
  return modeIsBytes() ? bytesInMemory(page.configuration.arch, word).match(/../g).join(" ") : hexWord(word);
}

function setWord(word) {
  page.text = textOf(word);
  byId("word").value = page.text;
}

// Another word, in the same configuration and at the same level.
function showWord(word) {
  setWord(word);
  renderWord();
}

function readText() {
  if (page.text.trim() === "") return null;
  return modeIsBytes() ? parseBytes(page.text, page.configuration.arch) : parseWord(page.text);
}

// What is no page-table word has no byte order of page tables.
function becomeNumber() {
  const wasBytes = modeIsBytes();
  byId("mode-word").checked = true;
  if (!wasBytes) return;
  page.text = page.word === null ? "" : hexWord(page.word);
  byId("word").value = page.text;
}

function withoutAddresses(wanted) {
  const names = optionsOfForm(findArch(page.arch), "address").map((option) => option.name);
  return Object.fromEntries(Object.entries(wanted).filter(([other]) => !names.includes(other)));
}

// Everything, from what was chosen and typed.
function render() {
  const configuration = orSay(byId("address-error"), () => configure(page.arch, page.wanted));
  // a bad address leaves nothing to decode with, only controls to show
  page.configuration = configuration ?? configure(page.arch, withoutAddresses(page.wanted));
  // a level that these options fold
  if (!Object.hasOwn(page.configuration.levels, page.level) && !isValue(page.level)) page.level = USUAL_LEVEL;
  if (isValue(page.level)) becomeNumber();
  page.isComplete = configuration !== null;
  renderControls();
  renderHint();
  renderSamples();
  renderWord();
}

// What depends on the word, which is all that changes while one types.
function renderWord() {
  const word = orSay(byId("word-error"), readText);
  page.word = page.isComplete ? word : null;
  byId("word").setAttribute("aria-invalid", String(!byId("word-error").hidden));
  renderBuild();
  renderResult();
  if (page.isComplete) writeLink();
}

// --- the page: words of a pasted log -------------------------------------------------------------------------------

const TEXTS = DATA.texts;
const AROUND = Object.fromEntries(
  Object.entries(TEXTS.around).map(([name, pattern]) => [
    name,
    new RegExp(name === "quote" || name === "prefix" ? `^(?:${pattern})` : pattern, "g"),
  ]),
);
const RECOGNISERS = TEXTS.recognisers.map((one) => ({ ...one, pattern: new RegExp(one.pattern, "dg") }));

// A line without what mail programs, terminals and log daemons put around it; a record begins with a stamp of the log.
function cleanLine(text) {
  const bare = text.replace(AROUND.escape, "").replace(AROUND.control, " ").replace(AROUND.quote, "");
  const line = bare.replace(AROUND.prefix, "");
  return { text: line.trimEnd(), isRecord: line !== bare };
}

function levelIn(match) {
  const level = (match.groups.level ?? "").toLowerCase();
  return TEXTS.names[level] ?? level;
}

// The values that one recogniser finds in a line, each with its place in the joined text.
function valuesOf(one, match) {
  const level = levelIn(match);
  return Object.entries(match.groups)
    .filter(([name, text]) => text !== undefined && !["level", "device", "slot"].includes(name))
    .map(([name, text]) => ({
      what: { value: level, number: level, word: "pte" }[name] ?? name,
      word: BigInt(name === "number" || /^0x/i.test(text) ? text : `0x${text}`),
      span: match.indices.groups[name],
      arch: one.arch,
      isNarrow: one.narrow,
    }));
}

function valuesAt(lines, at) {
  const line = lines[at];
  const rest = lines.slice(at + 1, at + 1 + TEXTS.wrapped);
  const end = rest.findIndex((next) => next.isRecord || next.text === "");
  const joined = [line, ...(end < 0 ? rest : rest.slice(0, end))].map((next) => next.text).join(" ");
  const found = [];
  let sure = 0;
  for (const one of RECOGNISERS) {
    const isAsked = !(one.list && line.isRecord) && !(one.last && sure > 0);
    if (!isAsked || (one.hints.length > 0 && !one.hints.some((hint) => line.text.includes(hint)))) continue;
    for (const match of (one.wraps ? joined : line.text).matchAll(one.pattern)) {
      if (match.index >= line.text.length) break;
      const free = (value) => !found.some(({ span }) => value.span[0] < span[1] && span[0] < value.span[1]);
      found.push(...valuesOf(one, match).filter(free));
    }
    if (!one.last) sure = found.length;
  }
  return found.map((value) => ({ ...value, line: at + 1 }));
}

// Every value of a text, once for each word.
function wordsOfText(text) {
  const lines = text.split("\n").map(cleanLine);
  const all = lines.flatMap((_line, at) => valuesAt(lines, at));
  const keys = all.map((value) => `${value.what} ${value.word}`);
  return all.filter((_value, i) => keys.indexOf(keys[i]) === i && isWord(all[i].word));
}

// The level at which a word is shown: where one is folded, the next above it.
function levelShown(what) {
  const names = Object.values(TEXTS.levels);
  const wanted = TEXTS.levels[what];
  const above = names.slice(names.indexOf(wanted)).find((name) => Object.hasOwn(page.configuration.levels, name));
  return wanted === undefined ? null : (above ?? null);
}

function chooseFinding(value) {
  if (value.arch !== null && value.arch !== page.arch) {
    byId("arch").value = value.arch;
    chooseArch(value.arch);
  }
  page.level = TEXTS.values[value.what] ?? levelShown(value.what);
  byId("mode-word").checked = true;
  setWord(value.word);
  render();
}

function findingButton(value) {
  const isKnown = [TEXTS.levels, TEXTS.values].some((names) => Object.hasOwn(names, value.what));
  const isShown = isKnown && !value.isNarrow;
  const note = value.isNarrow ? " (of a 32-bit kernel: not covered)" : isShown ? "" : " (not covered by this page)";
  const text = `line ${value.line}: ${value.what} ${hex(value.word)}${note}`;
  const button = element("button", { type: "button", className: "sample", disabled: !isShown }, text);
  button.addEventListener("click", () => chooseFinding(value));
  return button;
}

function renderLog() {
  const text = byId("log").value;
  const found = wordsOfText(text);
  byId("log-findings").replaceChildren(...found.map(findingButton));
  const count = found.length === 1 ? "1 word" : `${found.length} words`;
  say(byId("log-count"), found.length ? `${count} found: choose one.` : text.trim() ? "No word was recognised." : "");
}

// --- the page: options ----------------------------------------------------------------------------------------------

const KIBI = 1024;

// A value of an option for people: sizes also as 4K.
function showValue(value) {
  if (value === null) return "none";
  return Number.isInteger(value) && value >= KIBI ? `${value} (${value / KIBI}K)` : String(value);
}

function choose(option, value) {
  page.wanted[option.name] = value;
  const before = page.configuration.options;
  const { level } = page;
  render();
  const followed = page.configuration.choices.filter(
    ({ option: { name }, value: now }) => name !== option.name && now !== before[name],
  );
  const changes = followed.map(({ option: { name }, value: now }) => `${name} is now ${showValue(now)}`);
  if (page.level !== level) changes.push(`level is now ${page.level}`);
  say(byId("notice"), changes.length ? `Options that depend on ${option.name} followed: ${changes.join(", ")}.` : "");
}

function selectControl(option, values) {
  const select = element("select", { id: `option-${option.name}` });
  select.append(...values.map((value) => element("option", { value: JSON.stringify(value) }, showValue(value))));
  select.addEventListener("change", () => choose(option, JSON.parse(select.value)));
  return element("label", { className: "control" }, element("span", {}, option.name), select);
}

function makeControl(choice) {
  const { option } = choice;
  const id = `option-${option.name}`;
  if (option.form === "switch") {
    const box = element("input", { type: "checkbox", id });
    box.addEventListener("change", () => choose(option, box.checked));
    return element("label", { className: "check" }, box, element("span", {}, option.name));
  }
  if (option.form === "address") {
    const text = element("input", { type: "text", id, autocomplete: "off", "aria-describedby": "address-error" });
    text.value = page.wanted[option.name] ?? choice.value;
    text.addEventListener("input", () => choose(option, text.value));
    return element("label", { className: "control" }, element("span", {}, option.name), text);
  }
  return selectControl(option, option.values ?? choice.allowed);
}

// What stands in the tooltip of a control: what is possible in general, and what is not here.
function explain(choice) {
  const { option, allowed } = choice;
  const refused = (option.values ?? []).filter((value) => !allowed.includes(value)).map(showValue);
  const reason = refused.length ? ` Not possible after the options before it: ${refused.join(", ")}.` : "";
  return `${option.name}: ${option.allowed}.${reason}`;
}

function updateControl(choice) {
  const { option, value, allowed } = choice;
  const control = byId(`option-${option.name}`);
  control.closest("label").title = explain(choice);
  if (option.form === "address") {
    control.setAttribute("aria-invalid", String(!byId("address-error").hidden));
    return;
  }
  control.disabled = allowed.length < 2;
  control.closest("label").classList.toggle("off", control.disabled);
  if (option.form === "switch") {
    control.checked = value;
    return;
  }
  for (const item of control.options) item.disabled = !allowed.includes(JSON.parse(item.value));
  control.value = JSON.stringify(value);
}

// MAX_PHYSMEM_BITS has other limits for each page size; other controls stay as long as the architecture does.
const controlsKey = () => `${page.configuration.arch.name} ${page.configuration.geometry.page_size}`;

function renderControls() {
  byId("arch").value = page.configuration.arch.name;
  const names = Object.keys(page.configuration.levels);
  const values = Object.entries(DATA.values).map(([name, value]) => element("option", { value: name }, value.name));
  const items = [...names.map((name) => element("option", { value: name }, name.toUpperCase())), ...values];
  if (byId("level").dataset.key !== sameList(names)) byId("level").replaceChildren(...items);
  byId("level").dataset.key = sameList(names);
  byId("level").value = page.level;
  const box = byId("options");
  if (box.dataset.key !== controlsKey()) {
    const focused = document.activeElement?.id;
    box.dataset.key = controlsKey();
    box.replaceChildren(...page.configuration.choices.map(makeControl));
    if (focused?.startsWith("option-")) byId(focused)?.focus();
  }
  page.configuration.choices.forEach(updateControl);
}

// --- the page: samples ----------------------------------------------------------------------------------------------

// Whether an entry of these fields falls to a hazard; flags that are left out are clear.
function isHazardous(layout, fields) {
  return hazardsOf(layout).some((hazard) => evaluate(hazard.entry.tree, { ...noFlags(), ...fields }));
}

// An entry that falls to a hazard, found by trying: the ends of the offset, each of its bits, each flag.
function hazardousFields(layout, hazard) {
  const offsetField = fieldsOf(layout).find((field) => field.name === "offset");
  const bits = Array.from({ length: offsetField.width }, (_none, bit) => 1n << BigInt(bit));
  const flagSets = [noFlags(), ...flagNames(layout).map((flag) => ({ ...noFlags(), [flag]: 1n }))];
  for (const offset of [0n, fieldMax(offsetField), ...bits]) {
    for (const flags of flagSets) {
      const fields = { type: 0n, offset, ...flags };
      if (evaluate(hazard.entry.tree, fields)) return fields;
    }
  }
  return null;
}

// An offset for samples: a few huge pages into the device, so that it suits a PMD too.
const sampleOffset = (hugePages) => BigInt(page.configuration.geometry.hpage_pmd_nr) * hugePages;

function* sampleFields(layout) {
  const { types, pfnBits, migrationBits: canBeDirty } = page.configuration;
  const holds = page.level === "pmd" ? types.pmd_kinds : ["SWAP", ...Object.keys(types.numbers)];
  const first = (matches) => holds.find((kind) => Object.hasOwn(types.numbers, kind) && matches(DATA.kinds[kind]));
  const number = (kind) => types.numbers[kind][0];
  const swap = { type: 1n, offset: sampleOffset(3n) };
  // the samples of hazards have their own buttons
  const isSound = (flag) => !isHazardous(layout, { ...swap, [flag]: 1n });
  const flags = layout ? Object.fromEntries(flagNames(layout).map((flag) => [flag, isSound(flag)])) : {};
  if (holds.includes("SWAP")) yield ["swap entry", { ...swap, ...flags }];
  const migration = first((kind) => kind.migration);
  if (migration) {
    const dirty = canBeDirty ? 1n << BigInt(pfnBits + DATA.softleaf.above_pfn.length - 1) : 0n;
    yield ["migration entry", { type: number(migration), offset: sampleOffset(23n) | dirty }];
  }
  const device = first((kind) => kind.pfn && !kind.migration);
  if (device) yield [device.toLowerCase().replaceAll("_", " "), { type: number(device), offset: sampleOffset(5n) }];
  const marker = first((kind) => kind.marker);
  if (marker) {
    const bit = Object.values(types.marker_bits).at(-1);
    yield ["marker", { type: number(marker), offset: BigInt(bit) }];
  }
}

function* sampleWords(layout) {
  if (isValue(page.level)) {
    const { samples: words } = DATA.values[page.level];
    yield* Object.entries(words).map(([name, word]) => [name, BigInt(word)]);
    if (page.level !== "entry") return;
    for (const [name, { type, offset }] of sampleFields(null)) yield [name, entryValue(page.configuration, type, offset)];
    return;
  }
  const { samples } = page.configuration.levels[page.level].present;
  if (!layout) {
    yield* Object.entries(samples).map(([name, word]) => [name, BigInt(word)]);
    return;
  }
  const words = [];
  for (const [name, fields] of sampleFields(layout)) {
    const word = BigInt(encodeWith(page.configuration, page.level, fields));
    words.push(word);
    yield [name, word];
  }
  const unused = fieldsOf(layout).find((field) => field.kind === "zero");
  if (unused && words.length) yield ["stray bit", words[0] | putField(unused, 1n)];
  yield* Object.entries(samples).map(([name, word]) => [name, BigInt(word)]);
  for (const hazard of hazardsOf(layout)) {
    const fields = hazardousFields(layout, hazard);
    if (fields) yield [`hazard: ${hazard.entries}`, BigInt(encodeWith(page.configuration, page.level, fields))];
  }
}

function sampleButton([name, word]) {
  const button = element("button", { type: "button", className: "sample", title: hexWord(word) }, name);
  button.addEventListener("click", () => showWord(word));
  return button;
}

function renderSamples() {
  const label = element("span", { className: "hint" }, "Try:");
  byId("samples").replaceChildren(label, ...[...sampleWords(layoutOf())].map(sampleButton));
}

// --- the page: build from fields ------------------------------------------------------------------------------------

const OTHER = "other";

function kindChoices() {
  const { numbers, max_swapfiles: devices } = page.configuration.types;
  const special = Object.entries(numbers).flatMap(([kind, list]) => list.map((number) => [number, kind]));
  return [[0, `SWAP (0 to ${devices - 1})`], ...special.map(([number, kind]) => [number, `${kind} (${number})`])];
}

// The kind select says which number was chosen; every number of a swap device belongs to its first line.
function updateKind() {
  const number = /^\s*\d+\s*$/.test(byId("build-type").value) ? Number(byId("build-type").value) : -1;
  const isDevice = number >= 0 && number < page.configuration.types.max_swapfiles;
  const known = isDevice || kindChoices().some(([special]) => special === number);
  byId("build-kind").value = isDevice ? "0" : known ? String(number) : OTHER;
}

function renderBuild() {
  const layout = layoutOf();
  byId("build-panel").hidden = !layout;
  if (!layout) return;
  const key = JSON.stringify([kindChoices(), flagNames(layout)]);
  if (byId("build").dataset.key !== key) {
    byId("build").dataset.key = key;
    makeBuildControls(layout);
  }
  const largest = hex(fieldMax(fieldsOf(layout).find((field) => field.name === "offset")));
  const types = DATA.softleaf.types - 1;
  byId("build-hint").textContent = `Types 0 to ${types}; offsets 0 to ${largest}: slots, a PFN, or marker bits.`;
  if (page.word !== null && !strayBits(layout, page.word)) fillBuild(layout);
  updateKind();
}

function makeBuildControls(layout) {
  const kinds = kindChoices().map(([number, text]) => element("option", { value: String(number) }, text));
  byId("build-kind").replaceChildren(...kinds, element("option", { value: OTHER, disabled: true }, "another number"));
  const boxes = flagNames(layout).map((flag) => {
    const box = element("input", { type: "checkbox", id: `build-${flag}` });
    return element("label", { className: "check" }, box, element("span", {}, flag));
  });
  byId("build-flags").replaceChildren(...boxes);
}

// The form shows the entry that the word is, misread or not; words with stray bits are none and leave it as it is.
function fillBuild(layout) {
  byId("build-type").value = String(compute(layout.type, { v: page.word }));
  byId("build-offset").value = hex(compute(layout.offset, { v: page.word }));
  for (const field of flagsOf(layout)) byId(`build-${field.name}`).checked = getField(field, page.word) === 1n;
  say(byId("build-error"), "");
}

function build() {
  const word = orSay(byId("build-error"), () => {
    const fields = { type: byId("build-type").value, offset: byId("build-offset").value };
    for (const flag of flagNames(layoutOf())) fields[flag] = byId(`build-${flag}`).checked;
    return encodeWith(page.configuration, page.level, fields);
  });
  if (word !== null) showWord(BigInt(word));
}

// --- the page: the ruler --------------------------------------------------------------------------------------------

// Asked when it changes only: the question has the browser lay out the page before it answers.
const narrow = window.matchMedia("(max-width: 800px)");

const columns = () => DATA.word_bits / (page.isNarrow ? 4 : 2);

// The fields from the highest bit down; the whole word as one without a name where there is no layout.
function ruledFields(layout) {
  const whole = { name: "", kind: "", tone: "zero", lsb: 0, msb: DATA.word_bits - 1, width: DATA.word_bits };
  return layout ? fieldsOf(layout).reverse() : [whole];
}

const msb0 = (bit) => DATA.word_bits - 1 - bit;

function bitCell(bit, field) {
  const button = element("button", { type: "button", id: `bit-${bit}`, className: "bit" });
  button.dataset.bit = bit;
  button.addEventListener("click", () => flip(bit));
  const other = page.configuration.arch.msb0 ? element("span", { className: "number" }, String(msb0(bit))) : null;
  const edges = [bit === field.msb ? "first" : "", bit % 8 === 7 ? "byte" : ""].join(" ");
  const number = element("span", { className: "number" }, String(bit));
  return element("div", { className: `cell ${edges}`, tone: field.tone }, number, button, other);
}

// The part of a field that stands in the row from bit `high` down to `low`, with its name; narrow ones upright.
function fieldLabel(field, high, low) {
  const from = Math.min(field.msb, high);
  const to = Math.max(field.lsb, low);
  const width = from - to + 1;
  const charactersPerBit = page.isNarrow ? 3 : 4;
  const fits = field.name.length < width * charactersPerBit;
  const text = element("span", {}, field.name);
  const className = fits ? "run" : "run upright";
  // the buttons have the name too, so a screen reader need not hear it twice
  return element("div", { className, tone: field.tone, span: width, "aria-hidden": "true" }, text);
}

function rulerRow(fields, high) {
  const low = high - columns() + 1;
  const inRow = fields.filter((field) => field.lsb <= high && field.msb >= low);
  const cells = [];
  for (let bit = high; bit >= low; bit -= 1) {
    cells.push(bitCell(bit, inRow.find((field) => field.lsb <= bit && bit <= field.msb)));
  }
  const labels = inRow.map((field) => fieldLabel(field, high, low));
  return element("div", { className: "row" }, ...cells, ...labels);
}

function buildRuler(layout) {
  const fields = ruledFields(layout);
  const rows = [];
  for (let high = DATA.word_bits - 1; high >= 0; high -= columns()) rows.push(rulerRow(fields, high));
  const focused = document.activeElement?.classList.contains("bit");
  byId("ruler").style.setProperty("--columns", columns());
  byId("ruler").replaceChildren(...rows);
  if (focused) byId(`bit-${page.cursor}`).focus();
}

// A new ruler only where the fields or the rows are others: the focus stays in the old one.
function renderRuler(layout) {
  const key = JSON.stringify([layout?.fields, columns(), page.configuration.arch.msb0]);
  if (byId("ruler").dataset.key !== key) {
    byId("ruler").dataset.key = key;
    buildRuler(layout);
  }
  const stray = layout ? strayBits(layout, page.word) : 0n;
  for (const field of ruledFields(layout)) {
    for (let bit = field.lsb; bit <= field.msb; bit += 1) updateBit(bit, field, stray);
  }
}

function bitName(bit, field) {
  const place = page.configuration.arch.msb0 ? `bit ${bit} (MSB0 ${msb0(bit)})` : `bit ${bit}`;
  if (!field.name) return place;
  const inverted = field.inverted ? " inverted" : "";
  return field.width > 1 ? `${place}, ${field.name} bit ${bit - field.lsb}${inverted}` : `${place}, ${field.name}`;
}

function updateBit(bit, field, stray) {
  const button = byId(`bit-${bit}`);
  const value = (page.word >> BigInt(bit)) & 1n;
  const isStray = (stray >> BigInt(bit)) & 1n ? ", stray" : "";
  button.textContent = String(value);
  button.tabIndex = bit === page.cursor ? 0 : -1;
  button.setAttribute("aria-pressed", String(value === 1n));
  button.setAttribute("aria-label", `${bitName(bit, field)}, ${value}${isStray}`);
  button.title = `${bitName(bit, field)}${isStray}`;
  button.parentElement.classList.toggle("stray", Boolean(isStray));
}

function flip(bit) {
  page.cursor = bit;
  showWord(page.word ^ (1n << BigInt(bit)));
  byId(`bit-${bit}`).focus();
}

// Where a key leads from a bit. Bits fall from left to right and from row to row.
function target(key, bit) {
  const first = bit - (bit % columns());
  const bits = {
    ArrowLeft: bit + 1,
    ArrowRight: bit - 1,
    ArrowUp: bit + columns(),
    ArrowDown: bit - columns(),
    Home: first + columns() - 1,
    End: first,
  };
  return bits[key];
}

function moveCursor(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const bit = target(event.key, page.cursor);
  if (bit === undefined) return;
  event.preventDefault();
  if (bit >= 0 && bit < DATA.word_bits) byId(`bit-${bit}`).focus();
}

// The bit that has the focus is the one to which the Tab key comes back.
function takeCursor(event) {
  byId(`bit-${page.cursor}`).tabIndex = -1;
  page.cursor = Number(event.target.dataset.bit);
  event.target.tabIndex = 0;
}

// --- the page: what the word says -----------------------------------------------------------------------------------

const yesNo = (truth) => (truth ? "yes" : "no");
const code = (text) => element("code", {}, text);
const spaced = (bytes) => bytes.match(/../g).join(" ");

// What the leaf stands for, in short: the same words as on the command line.
function leafText(record) {
  const set = DATA.flags.filter((flag) => record[flag]);
  if (record.markers) return [record.markers.join(" ") || "no known bit", ...set].join(" ");
  const where = record.pfn === null ? `offset ${record.offset}` : `pfn ${record.pfn}`;
  const bits = DATA.softleaf.above_pfn.filter((name) => record[name]);
  return [`type ${record.type}`, where, ...bits, ...set].join(" ");
}

// The attributes that mean something in a word of this state.
function toldAttributes(record) {
  const { table_attributes: ofTables } = page.configuration.levels[page.level].present;
  return record.attributes.filter((name) => record.state !== "TABLE" || ofTables.includes(name));
}

// What a present word says, in short: the same words as on the command line.
function presentText(record) {
  if (record.address === null) return "";
  const where = record.state === "PRESENT" ? `pfn ${record.pfn}` : `at ${record.address}`;
  return [where, ...toldAttributes(record)].join(" ");
}

// What a value says, in short: the same words as on the command line.
function valueText(record) {
  const isHidden = record.pfn === "0x0" || (record.type === 0 && record.offset === "0x0");
  if (page.level === "entry") return record.state === "NONE" ? "" : leafText(record);
  if (record.state === "NONE") return ["no page", ...record.flags].join(" ");
  if (isHidden) return ["(readers without CAP_SYS_ADMIN do not see where)", ...record.flags].join(" ");
  if (record.pfn !== null) return [`pfn ${record.pfn}`, ...record.flags].join(" ");
  const where = DATA.kinds[record.kind].pfn ? "pfn" : "offset";
  return [`type ${record.type}`, `${where} ${record.offset}`, ...record.flags].join(" ");
}

// What the word is, in a sentence: its state and, of a softleaf, its kind.
function meaningText(record) {
  const kind = record.state === "SOFTLEAF" ? DATA.kinds[record.kind].meaning : "";
  if (page.level === "entry") return record.state === "NONE" ? DATA.kinds.NONE.meaning : kind;
  return `${(isValue(page.level) ? DATA.values.pagemap : DATA).states[record.state]} ${kind}`;
}

const shortText = (record) => {
  if (isValue(page.level)) return valueText(record);
  return record.state === "SOFTLEAF" ? leafText(record) : presentText(record);
};

function renderVerdict(record) {
  const isLeaf = record.state === "SOFTLEAF";
  const warnings = [];
  if (record.stray_bits && BigInt(record.stray_bits)) warnings.push(`Stray bits ${record.stray_bits}: no kernel writes this.`);
  if (isLeaf && record.level === "pmd" && !page.configuration.types.pmd_kinds.includes(record.kind)) {
    warnings.push(`No PMD of kernel ${record.kernel} holds this kind.`);
  }
  for (const hazard of misread(layoutOf(), page.word)) {
    warnings.push(`Hazard: an entry stored as this word (${hazard.entries}) reads as ${hazard.reads_as}.`);
  }
  const name = element("strong", {}, isLeaf ? record.kind : record.state);
  byId("verdict").replaceChildren(
    element("p", { className: "state" }, name, ` ${shortText(record)}`),
    element("p", {}, meaningText(record)),
    ...warnings.map((text) => element("p", { className: "warning" }, text)),
  );
}

function layoutNote(record) {
  if (isValue(page.level)) return "";
  if (!shownLayout(record)) {
    const where = `${page.level.toUpperCase()} of ${record.arch} kernel ${record.kernel}`;
    return `With these options no ${where} holds a software leaf, so these bits have no fields.`;
  }
  if (shownWord(record) !== page.word) {
    return "The address is stored inverted: among the fields it is turned back, and so is every bit of it below.";
  }
  if (formOf(page.configuration.levels[page.level], record.state)) return "";
  return `The kernel takes this word for ${record.state}; below is what its bits would say in a swap entry.`;
}

function legendText(layout) {
  const numbers = page.configuration.arch.msb0
    ? "Above each bit stands its number from the least significant one (LSB0), below it that of the manuals (MSB0)."
    : "Above each bit stands its number (LSB0).";
  if (!layout) return numbers;
  return `${numbers} A dashed, hatched bit marked ! stands as in no encoded entry.`;
}

// The command that prints the same, with every option that is not the default.
function commandText(record) {
  const flag = ({ option, value }) => {
    const name = option.name.replaceAll("_", "-");
    if (option.form === "switch") return value ? `--${name}` : `--no-${name}`;
    return `--${name} ${value === null ? "none" : value}`;
  };
  const others = page.configuration.choices.filter((choice) => choice.value !== choice.usual).map(flag);
  const level = record.level === "pmd" ? [] : [`--level ${record.level}`];
  return ["pmdswp decode", record.arch, record.raw, ...level, ...others].join(" ");
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

// A power of two of bytes, in the largest unit that leaves no fraction.
function sizeText(shift) {
  const perUnit = Math.log2(KIBI);
  const unit = Math.min(Math.floor(shift / perUnit), UNITS.length - 1);
  return `${2 ** (shift - unit * perUnit)} ${UNITS[unit]}`;
}

function presentFacts(record) {
  const { shift } = page.configuration.levels[page.level].present;
  const isPage = record.state === "PRESENT";
  return [
    ...(isPage ? [["PFN", code(record.pfn)]] : []),
    ["address", code(record.address)],
    [isPage ? "maps" : "covers", sizeText(shift)],
    ["attributes", toldAttributes(record).join(" ") || "none"],
    ["stray bits", BigInt(record.stray_bits) ? code(record.stray_bits) : "none"],
  ];
}

function leafFacts(record) {
  const facts = [["kind", record.kind], ["type", code(String(record.type))]];
  facts.push(["offset", code(`${record.offset} = ${BigInt(record.offset)}`)]);
  if (record.pfn !== null) {
    const pageSize = BigInt(page.configuration.geometry.page_size);
    facts.push(["PFN", code(record.pfn)], ["address", code(hex(BigInt(record.pfn) * pageSize))]);
    facts.push(...DATA.softleaf.above_pfn.map((name) => [name, yesNo(record[name])]));
  }
  if (record.markers) facts.push(["markers", record.markers.join(", ") || "no known bit"]);
  return facts;
}

// A page-table word that holds the value: a button that shows it.
function wordButton(level, word) {
  if (word === null) return "none";
  const button = element("button", { type: "button", className: "sample" }, code(word));
  button.addEventListener("click", () => {
    page.level = level;
    setWord(BigInt(word));
    render();
  });
  return button;
}

function entryFacts(record) {
  const facts = [["value", code(record.raw)], ...leafFacts(record)];
  if (record.bytes) facts.push(["PTE in memory", code(spaced(record.bytes))]);
  return [...facts, ["PTE that gives it", wordButton("pte", record.pte)], ["PMD", wordButton("pmd", record.pmd)]];
}

function pagemapFacts(record) {
  const facts = [["word", code(record.raw)], ["state", record.state]];
  if (record.pfn !== null) {
    const pageSize = BigInt(page.configuration.geometry.page_size);
    facts.push(["PFN", code(record.pfn)], ["address", code(hex(BigInt(record.pfn) * pageSize))]);
  }
  if (record.state === "SOFTLEAF") facts.push(...leafFacts({ ...record, pfn: null }));
  facts.push(...DATA.values.pagemap.flags.map((name) => [name, yesNo(record.flags.includes(name))]));
  return [...facts, ["stray bits", BigInt(record.stray_bits) ? code(record.stray_bits) : "none"]];
}

function factsOf(record) {
  if (isValue(page.level)) return (page.level === "entry" ? entryFacts : pagemapFacts)(record);
  const facts = [["word", code(record.raw)], ["in memory", code(spaced(record.bytes))], ["state", record.state]];
  if (record.address !== null) return [...facts, ...presentFacts(record)];
  if (record.state !== "SOFTLEAF") return facts;
  facts.push(...leafFacts(record));
  facts.push(...flagNames(layoutOf()).map((flag) => [flag, yesNo(record[flag])]));
  facts.push(["stray bits", BigInt(record.stray_bits) ? code(record.stray_bits) : "none"]);
  facts.push(["softleaf .val", code(hexWord(entryValue(page.configuration, record.type, BigInt(record.offset))))]);
  return facts;
}

function renderHolds(record) {
  const pair = ([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value));
  byId("holds").replaceChildren(...factsOf(record).map(pair));
  byId("command").textContent = commandText(record);
}

// --- the page: tables -----------------------------------------------------------------------------------------------

// A table whose rows may become blocks on a narrow screen; the roles keep it a table for screen readers.
function table(className, heads, rows) {
  const classOf = (index) => heads[index].replaceAll(" ", "-");
  const cell = (tag, role, index, content) => element(tag, { role, className: classOf(index) }, ...[content].flat());
  const row = (tag, role, cells) =>
    element("tr", { role: "row" }, ...cells.map((content, index) => cell(tag, role, index, content)));
  const head = element("thead", { role: "rowgroup" }, row("th", "columnheader", heads));
  const body = element("tbody", { role: "rowgroup" }, ...rows.map((cells) => row("td", "cell", cells)));
  return element("table", { role: "table", className }, head, body);
}

const range = (high, low) => (high === low ? String(high) : `${high}–${low}`);

// What is wrong with the bits of a field, if anything.
function complaint(field, word) {
  const number = getField(field, word);
  if (field.kind === "zero" && number) return "! set, though it means nothing here";
  return field.kind === "fixed" && number !== BigInt(field.value) ? `! not ${BigInt(field.value)}` : "";
}

function fieldValue(field, word) {
  const number = getField(field, word);
  const text = complaint(field, word);
  const inPlace = field.address_bit === undefined ? number : number << BigInt(field.address_bit);
  const shown = code(field.width > 1 ? hex(inPlace) : String(number));
  return text ? [shown, element("span", { className: "complaint" }, text)] : shown;
}

function fieldRow(field, word) {
  const isMsb0 = page.configuration.arch.msb0;
  const places = [range(field.msb, field.lsb), ...(isMsb0 ? [range(msb0(field.msb), msb0(field.lsb))] : [])];
  const swatch = element("span", { className: "swatch", tone: field.tone }, field.name);
  const said = isValue(page.level) ? [field.meaning] : [field.meaning, field.source];
  return [...places, String(field.width), swatch, code(field.kernel_name), fieldValue(field, word), ...said];
}

function renderFields(layout, word) {
  byId("fields-panel").hidden = !layout;
  if (!layout) return;
  const isMsb0 = page.configuration.arch.msb0;
  const said = isValue(page.level) ? ["meaning"] : ["meaning", "since"];
  const heads = ["bits", ...(isMsb0 ? ["MSB0"] : []), "width", "field", "kernel name", "value", ...said];
  const rows = fieldsOf(layout).reverse().map((field) => fieldRow(field, word));
  byId("fields").replaceChildren(table("fields", heads, rows));
}

function renderPredicates(record) {
  const { helpers } = page.configuration.levels[page.level];
  const mark = (truth) => element("span", { className: truth ? "true" : "false" }, truth ? "✓ true" : "✗ false");
  const rows = Object.entries(record.predicates).map(([name, truth]) => {
    return [mark(truth), code(name), code(DATA.expressions[helpers[name]].text)];
  });
  byId("predicates").replaceChildren(table("predicates", ["answer", "helper", "expression"], rows));
}

// Above the PTE the kernel's helper has another name where a level is folded into the next: the attribute's stands here.
function renderAttributes(record) {
  const { attributes, table_attributes: ofTables } = page.configuration.levels[page.level].present;
  const names = Object.keys(attributes).filter((name) => record.state !== "TABLE" || ofTables.includes(name));
  const isPresent = record.address !== null && names.length > 0;
  byId("attributes-panel").hidden = !isPresent;
  if (!isPresent) return;
  const rows = names.map((name) => {
    const mark = record.attributes.includes(name) ? ["true", "✓ true"] : ["false", "✗ false"];
    return [element("span", { className: mark[0] }, mark[1]), name, code(DATA.expressions[attributes[name]].text)];
  });
  byId("attributes").replaceChildren(table("predicates", ["answer", "attribute", "expression"], rows));
}

function hazardItem(hazard, concerns) {
  const badge = concerns ? element("span", { className: "swatch", tone: "stray" }, "this word") : null;
  const title = element("h3", {}, `${hazard.entries}: reads as ${hazard.reads_as} `);
  if (badge) title.append(badge);
  const className = concerns ? "hazard concerns" : "hazard";
  return element("article", { className }, title, element("p", {}, hazard.explanation));
}

function renderHazards(layout) {
  const concerned = misread(layout, page.word);
  const known = hazardsOf(layout);
  const others = known.filter((hazard) => !concerned.includes(hazard));
  const level = page.level.toUpperCase();
  byId("hazards-hint").textContent = known.length
    ? `Entries that a ${level} of this configuration can store and that the kernel reads as something else.`
    : `None is known: the kernel reads every entry that a ${level} of this configuration can store as what it is.`;
  if (!layout) byId("hazards-hint").textContent = "No softleaf can be stored here, so none can be misread.";
  const first = concerned.map((hazard) => hazardItem(hazard, true));
  byId("hazards").replaceChildren(...first, ...others.map((hazard) => hazardItem(hazard, false)));
}

// What only a word of a page table has.
const OF_TABLES = ["attributes-panel", "predicates-panel", "hazards-panel"];

function renderResult() {
  const hasWord = page.word !== null;
  for (const id of ["result", "fields-panel"]) byId(id).hidden = !hasWord;
  for (const id of OF_TABLES) byId(id).hidden = !hasWord || isValue(page.level);
  if (!hasWord) return;
  const record = decodeAny(page.configuration, page.level, page.word);
  const layout = shownLayout(record);
  renderVerdict(record);
  say(byId("layout-note"), layoutNote(record));
  renderRuler(layout);
  byId("legend").textContent = legendText(layout);
  renderHolds(record);
  renderFields(layout, shownWord(record));
  if (isValue(page.level)) return;
  renderAttributes(record);
  renderPredicates(record);
  renderHazards(layoutOf());
}

// --- the page: links ------------------------------------------------------------------------------------------------

// Architecture, level, kernel, other options that are not the default, and the word.
function linkText() {
  const parts = new URLSearchParams({ arch: page.configuration.arch.name, level: page.level });
  for (const { option, value, usual } of page.configuration.choices) {
    // the kernel always: another release may have another default
    if (value !== usual || option.name === "kernel") parts.set(option.name, value === null ? "none" : String(value));
  }
  if (page.word !== null) parts.set("word", hexWord(page.word));
  return `#${parts}`;
}

function writeLink() {
  if (window.location.hash !== linkText()) window.history.replaceState(null, "", linkText());
}

// The parts of a link that are no options.
const LINKED = ["arch", "level", "word"];

// The value of an option that a link spells so.
function linkedValue(option, text) {
  if (option.form === "address") return text;
  if (option.form === "physmem") return /^\d+$/.test(text) ? Number(text) : text === "none" ? null : text;
  return option.values.find((value) => String(value) === text) ?? text;
}

// What a link asks for and cannot have.
function unmet(parts) {
  const { options } = page.configuration;
  const refused = Object.keys(withoutAddresses(page.wanted)).filter((name) => options[name] !== page.wanted[name]);
  const unknown = [...parts.keys()].filter((name) => !LINKED.includes(name) && !Object.hasOwn(options, name));
  const level = parts.get("level") ?? page.level;
  return [
    ...(level === page.level ? [] : [`there is no level ${excerpt(level)}, ${page.level} is taken`]),
    ...unknown.map((name) => `there is no option ${excerpt(name)}`),
    ...refused.map((name) => `${name} cannot be ${excerpt(parts.get(name))}, ${showValue(options[name])} is taken`),
  ];
}

function readLink() {
  const parts = new URLSearchParams(window.location.hash.slice(1));
  const notice = byId("notice");
  const arch = orSay(notice, () => findArch(parts.get("arch") ?? page.arch));
  if (!arch) {
    render();
    return;
  }
  page.arch = arch.name;
  page.level = parts.get("level") ?? USUAL_LEVEL;
  const asked = arch.options.filter((option) => parts.has(option.name));
  page.wanted = Object.fromEntries(asked.map((option) => [option.name, linkedValue(option, parts.get(option.name))]));
  page.text = parts.get("word") ?? "";
  byId("mode-word").checked = true;
  byId("word").value = page.text;
  // another address stands in its field again
  delete byId("options").dataset.key;
  render();
  const problems = unmet(parts);
  say(notice, problems.length ? `The link asks for what cannot be: ${problems.join("; ")}.` : "");
}

async function copyLink() {
  const link = window.location.href;
  byId("link").hidden = true;
  try {
    await navigator.clipboard.writeText(link);
    say(byId("copied"), "The link is copied.");
  } catch {
    // no permission, or a browser without it: let the reader copy
    byId("link").hidden = false;
    byId("link-text").value = link;
    byId("link-text").select();
    say(byId("copied"), "This browser does not let the page copy: the link stands above.");
  }
}

// --- the page: start ------------------------------------------------------------------------------------------------

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";

function nameTheme() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").title = `Show the page ${isDark() ? "light" : "dark"}`;
}

function toggleTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
}

function chooseArch(name) {
  page.arch = name;
  // options mean something else elsewhere; the kernel is the same question everywhere
  page.wanted = "kernel" in page.wanted ? { kernel: page.wanted.kernel } : {};
  say(byId("notice"), "");
  render();
}

// The word stays the same word when its text changes between word and bytes.
function changeMode() {
  if (page.word !== null) setWord(page.word);
  render();
}

function renderHint() {
  byId("mode-bytes").disabled = isValue(page.level);
  if (isValue(page.level)) {
    byId("word-hint").textContent = `0x and hex digits, or 16 bare hex digits: ${DATA.values[page.level].hint}`;
    return;
  }
  byId("word-hint").textContent = modeIsBytes()
    ? "The 8 bytes as they are in memory, in hex, in the byte order of the architecture's page tables."
    : "0x and hex digits, or 16 bare hex digits: the number that pte_val() or pmd_val() gives.";
}

function listen() {
  byId("arch").addEventListener("change", () => chooseArch(byId("arch").value));
  byId("level").addEventListener("change", () => {
    page.level = byId("level").value;
    render();
  });
  byId("word").addEventListener("input", () => {
    page.text = byId("word").value;
    renderWord();
  });
  byId("log").addEventListener("input", renderLog);
  byId("mode-word").addEventListener("change", changeMode);
  byId("mode-bytes").addEventListener("change", changeMode);
  byId("copy").addEventListener("click", copyLink);
  byId("build").addEventListener("submit", (event) => {
    event.preventDefault();
    build();
  });
  byId("build-kind").addEventListener("change", () => {
    byId("build-type").value = byId("build-kind").value;
  });
  byId("build-type").addEventListener("input", updateKind);
  byId("ruler").addEventListener("keydown", moveCursor);
  byId("ruler").addEventListener("focusin", takeCursor);
  byId("theme").addEventListener("click", toggleTheme);
  prefersDark.addEventListener("change", nameTheme);
  narrow.addEventListener("change", () => {
    page.isNarrow = narrow.matches;
    renderResult();
  });
  window.addEventListener("hashchange", readLink);
}

function start() {
  byId("arch").append(...Object.keys(DATA.arches).map((name) => element("option", { value: name }, name)));
  byId("version").textContent = `pmdswp ${DATA.version}: every bit on this page comes from its layouts.`;
  page.isNarrow = narrow.matches;
  listen();
  nameTheme();
  readLink();
  if (page.text === "") byId("samples").querySelector("button").click();
}

start();
