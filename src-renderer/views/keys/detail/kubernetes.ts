/**
 * Objects as the Kubernetes API server stores them: four magic bytes, then a runtime.Unknown
 * message around the object (k8s.io/apimachinery, pkg/runtime/serializer/protobuf). The envelope
 * names kind and version; of the object itself ObjectMeta is known, which nearly every kind has as
 * field 1. The rest is shown by field numbers.
 */
import { utf8Decode } from '../../../lib/bytes.ts';
import { decodeWire, guessOf, printBytes, printScalar, type WireField } from './wire.ts';

const MAGIC = [0x6b, 0x38, 0x73, 0x00];

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  name: string;
  /** Empty for kinds that have none. */
  namespace: string;
  /** The whole as YAML-like text. */
  text: string;
}

/** Fields of ObjectMeta (k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto). */
const META: Readonly<Record<number, [string, MetaKind]>> = {
  1: ['name', 'text'],
  2: ['generateName', 'text'],
  3: ['namespace', 'text'],
  4: ['selfLink', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  7: ['generation', 'number'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'number'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: ['ownerReferences', 'owner'],
  14: ['finalizers', 'texts'],
  17: ['managedFields', 'count'],
};
type MetaKind = 'text' | 'number' | 'time' | 'map' | 'owner' | 'texts' | 'count';

const OWNER: Readonly<Record<number, string>> = {
  1: 'kind',
  3: 'name',
  4: 'uid',
  5: 'apiVersion',
  6: 'controller',
  7: 'blockOwnerDeletion',
};

export function isKubernetes(value: Uint8Array): boolean {
  return value.length > MAGIC.length && MAGIC.every((byte, i) => value[i] === byte);
}

/** Null if what follows the magic is not the envelope. */
export function decodeKubernetes(value: Uint8Array): KubernetesObject | null {
  if (!isKubernetes(value)) return null;
  const envelope = decodeWire(value.subarray(MAGIC.length));
  const typeMeta = messageOf(envelope, 1);
  const raw = lengthOf(envelope, 2);
  if (typeMeta === null || raw === null) return null;
  const object = decodeWire(raw);
  const apiVersion = textOf(typeMeta, 1);
  const kind = textOf(typeMeta, 2);
  const meta = object === null ? null : metaOf(object);
  const lines = [`apiVersion: ${scalar(apiVersion)}`, `kind: ${scalar(kind)}`];
  if (meta !== null) lines.push('metadata:', ...meta.flatMap(metaLines));
  if (object === null) {
    lines.push(`raw: ${printBytes(raw)}`);
  } else {
    const rest = meta === null ? object : object.filter((field) => field.number !== 1);
    if (rest.length > 0) lines.push('fields:', ...fieldLines(rest, 1));
  }
  return {
    apiVersion,
    kind,
    name: meta === null ? '' : textOf(meta, 1),
    namespace: meta === null ? '' : textOf(meta, 3),
    text: lines.join('\n'),
  };
}

/** Field 1 if it can be an ObjectMeta: text for a name or none, and no field that it lacks. */
function metaOf(object: readonly WireField[]): WireField[] | null {
  const meta = messageOf(object, 1);
  if (meta === null || meta.length === 0) return null;
  const fits = meta.every((field) => {
    const known = META[field.number];
    // 15 and 16 were used by fields that are gone.
    if (known === undefined) return field.number === 15 || field.number === 16;
    return (field.kind === 'varint') === (known[1] === 'number');
  });
  return fits ? meta : null;
}

function metaLines(field: WireField, index: number, all: readonly WireField[]): string[] {
  const known = META[field.number];
  if (known === undefined) return [];
  const [name, kind] = known;
  // Repeated fields are told at their first one.
  if (all.findIndex((other) => other.number === field.number) !== index) return [];
  const same = all.filter((other) => other.number === field.number);
  if (field.kind === 'varint') return [`  ${name}: ${BigInt.asIntN(64, field.value)}`];
  if (field.kind !== 'length') return [];
  switch (kind) {
    case 'time':
      return [`  ${name}: ${scalar(timeOf(field.bytes))}`];
    case 'map':
      return [`  ${name}:`, ...same.map((entry) => `    ${mapEntry(entry)}`)];
    case 'owner':
      return [`  ${name}:`, ...same.flatMap(ownerLines)];
    case 'texts':
      return [`  ${name}:`, ...same.map((entry) => `    - ${scalar(ownText(entry))}`)];
    case 'count':
      return [`  ${name}: []  # ${same.length}`];
    default: {
      // Empty strings are how protobuf writes "not set" here.
      const text = ownText(field);
      return text === '' ? [] : [`  ${name}: ${scalar(text)}`];
    }
  }
}

function mapEntry(field: WireField): string {
  const entry = field.kind === 'length' ? decodeWire(field.bytes) : null;
  return `${scalar(textOf(entry, 1))}: ${scalar(textOf(entry, 2))}`;
}

function ownerLines(field: WireField): string[] {
  const fields = (field.kind === 'length' ? decodeWire(field.bytes) : null) ?? [];
  return fields
    .filter((part) => OWNER[part.number] !== undefined)
    .map((part, i) => {
      const value = part.kind === 'varint' ? String(part.value === 1n) : scalar(ownText(part));
      return `    ${i === 0 ? '- ' : '  '}${OWNER[part.number]}: ${value}`;
    });
}

/** metav1.Time is a message of seconds and nanoseconds. */
function timeOf(bytes: Uint8Array): string {
  const seconds = decodeWire(bytes)?.find((field) => field.number === 1);
  if (seconds?.kind !== 'varint') return '';
  const date = new Date(Number(BigInt.asIntN(64, seconds.value)) * 1_000);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().replace('.000Z', 'Z');
}

/** Fields by number; a number that comes several times is a list. */
function fieldLines(fields: readonly WireField[], depth: number): string[] {
  const indent = '  '.repeat(depth);
  const numbers = [...new Set(fields.map((field) => field.number))];
  return numbers.flatMap((number) => {
    const same = fields.filter((field) => field.number === number);
    const [only] = same;
    if (same.length === 1 && only !== undefined)
      return [...named(`${indent}${number}:`, only, depth)];
    return [
      `${indent}${number}:`,
      ...same.flatMap((field) => named(`${indent}  -`, field, depth + 1)),
    ];
  });
}

function named(head: string, field: WireField, depth: number): string[] {
  if (field.kind !== 'length') return [`${head} ${printScalar(field)}`];
  const guess = guessOf(field.bytes, depth);
  if (guess.kind === 'message') return [head, ...fieldLines(guess.fields, depth + 1)];
  return [`${head} ${guess.kind === 'text' ? scalar(guess.text) : printBytes(field.bytes)}`];
}

function messageOf(fields: readonly WireField[] | null, number: number): WireField[] | null {
  const bytes = lengthOf(fields, number);
  return bytes === null ? null : decodeWire(bytes);
}

function lengthOf(fields: readonly WireField[] | null, number: number): Uint8Array | null {
  const field = fields?.find((other) => other.number === number);
  return field?.kind === 'length' ? field.bytes : null;
}

function textOf(fields: readonly WireField[] | null, number: number): string {
  const bytes = lengthOf(fields, number);
  return bytes === null ? '' : (utf8Decode(bytes) ?? '');
}

function ownText(field: WireField): string {
  return field.kind === 'length' ? (utf8Decode(field.bytes) ?? printBytes(field.bytes)) : '';
}

/** A YAML scalar: bare where that says the same, else quoted as JSON, which YAML reads too. */
function scalar(text: string): string {
  const isBare = /^[A-Za-z_/][\w./@+-]*$/.test(text);
  return isBare && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
