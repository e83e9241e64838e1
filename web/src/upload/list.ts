/** The list of uploads the pages draw, apart from the machinery that fills it, which loads when it is needed. */
import { create } from 'zustand';
import type { UploadItem } from './item.ts';

interface UploadsState {
  /** Newest first. */
  readonly items: readonly UploadItem[];
}

export const useUploads = create<UploadsState>(() => ({ items: [] }));
