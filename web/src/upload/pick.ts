/**
 * Files from a drop, a paste or the picker, folders opened up. Where the browser has File System Access each file comes with
 * a handle, so that an upload can go on after a reload.
 */
import { MAX_UPLOADS, type PickedFile } from './manager.ts';

const MAX_DEPTH = 8;

interface PickerScope {
  showOpenFilePicker?: (options: { multiple: boolean }) => Promise<FileSystemFileHandle[]>;
}

interface HandleItem {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

interface PermissionHandle {
  queryPermission?: (mode: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (mode: { mode: 'read' }) => Promise<PermissionState>;
}

/** True while something with files hovers over the page. */
export function carriesFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes('Files') ?? false;
}

/** The files of a drop or paste, in order, at most MAX_UPLOADS. Call it within the event: its items die with it. */
export async function filesOf(transfer: DataTransfer): Promise<PickedFile[]> {
  const loose = [...transfer.files].map((file) => ({ file }));
  const pending = [...transfer.items].filter((item) => item.kind === 'file').map(openItem);
  if (pending.length === 0) return loose.slice(0, MAX_UPLOADS);
  const found = await Promise.all(pending);
  return found.flat().slice(0, MAX_UPLOADS);
}

async function openItem(item: DataTransferItem): Promise<PickedFile[]> {
  const file = item.getAsFile();
  const entry = item.webkitGetAsEntry();
  const handle = (item as HandleItem).getAsFileSystemHandle?.().catch(() => null);
  const opened = await handle;
  if (opened?.kind === 'file') {
    const fileHandle = opened as FileSystemFileHandle;
    return [{ file: await fileHandle.getFile(), handle: fileHandle }];
  }
  if (entry?.isDirectory === true) return await filesOfFolder(entry as FileSystemDirectoryEntry);
  return file === null ? [] : [{ file }];
}

async function filesOfFolder(folder: FileSystemDirectoryEntry, depth = 0): Promise<PickedFile[]> {
  if (depth >= MAX_DEPTH) return [];
  const found: PickedFile[] = [];
  const reader = folder.createReader();
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0 || found.length >= MAX_UPLOADS) return found;
    for (const entry of entries) found.push(...(await filesOfEntry(entry, depth + 1)));
  }
}

async function filesOfEntry(entry: FileSystemEntry, depth: number): Promise<PickedFile[]> {
  if (entry.isDirectory) return await filesOfFolder(entry as FileSystemDirectoryEntry, depth);
  const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
  return [{ file }];
}

/** Opens the browser's picker; an empty list when the user closes it. */
export async function pickFiles(multiple: boolean): Promise<PickedFile[]> {
  const picker = (globalThis as PickerScope).showOpenFilePicker;
  if (picker === undefined) return await pickByInput(multiple);
  try {
    const handles = await picker({ multiple });
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), handle })));
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return [];
    return await pickByInput(multiple);
  }
}

function pickByInput(multiple: boolean): Promise<PickedFile[]> {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = multiple;
  return new Promise((resolve) => {
    input.addEventListener('change', () => resolve([...(input.files ?? [])].map((file) => ({ file }))), { once: true });
    input.addEventListener('cancel', () => resolve([]), { once: true });
    input.click();
  });
}

/** The file behind a stored handle when the browser needs no consent; a file that is gone gives undefined. */
export async function reopenQuietly(handle: FileSystemFileHandle): Promise<File | undefined> {
  const permission = await (handle as PermissionHandle).queryPermission?.({ mode: 'read' });
  return permission === 'granted' ? await fileBehind(handle) : undefined;
}

/** The same, asking the user; call it within a click. */
export async function reopenWithConsent(handle: FileSystemFileHandle): Promise<File | undefined> {
  const permission = await (handle as PermissionHandle).requestPermission?.({ mode: 'read' });
  return permission === 'granted' ? await fileBehind(handle) : undefined;
}

async function fileBehind(handle: FileSystemFileHandle): Promise<File | undefined> {
  try {
    return await handle.getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
    throw error;
  }
}
